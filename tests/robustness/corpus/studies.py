"""Lists of runs for `sweep` that cannot be used."""

from __future__ import annotations

from collections.abc import Iterator

from corpus.case import SWEEP, Case
from corpus.damage import KINDS

FACTOR = "from keras_radtl.sweeps.study import Factor\n"
LISTS = {  # content of the file, part of the line
    "a syntax error": ("def runs(choices:\n    return 1\n", ""),
    "no runs": ("x = 1\n", "runs"),
    "runs that are a number": ("runs = 3\n", "runs"),
    "an import error": ("import nope_nope\n", "nope_nope"),
    "an exit": ("raise SystemExit(7)\n", ""),
    "an exit in runs": ("def runs(choices):\n    raise SystemExit(7)\n", ""),
    "an error": ("raise ValueError('bang')\n", "bang"),
    "an error in runs": ("def runs(choices):\n    raise ValueError('bang')\n", "bang"),
    "a division by zero": ("def runs(choices):\n    return [1 / 0]\n", "division"),
    "a missing name": ("def runs(choices):\n    return nope\n", "nope"),
    "a recursion": ("def runs(choices):\n    return runs(choices)\n", ""),
    "nothing": ("def runs(choices):\n    pass\n", ""),
    "a number": ("def runs(choices):\n    return 3\n", ""),
    "a text": ("def runs(choices):\n    return 'abc'\n", ""),
    "an empty list": ("def runs(choices):\n    return []\n", "no runs"),
    "numbers": ("def runs(choices):\n    return [1, 2]\n", ""),
    "a dict": ("def runs(choices):\n    return {'a': 1}\n", ""),
    "no argument": ("def runs():\n    return []\n", "runs"),
    "two arguments": ("def runs(a, b):\n    return []\n", "runs"),
    "a keyboard interrupt": ("def runs(choices):\n    raise OSError('bang')\n", "bang"),
    "tabs": ("def runs(choices):\n\treturn []\n        x\n", ""),
    "an endless name": ("def runs(choices):\n    return choices.nope\n", "nope"),
    "a STUDY that is a list": ("STUDY = [1]\ndef runs(choices):\n    return []\n", "STUDY"),
    "an unknown key": ("STUDY = {'nope': 1}\ndef runs(choices):\n    choices.config()\n", "nope"),
    "FACTORS that are numbers": ("FACTORS = (1, 2)\ndef runs(choices):\n    return []\n", "FACTORS"),
    "TASKS that are a list": ("TASKS = ['a']\ndef runs(choices):\n    return []\n", "TASKS"),
    "a factor with a bad name": (
        FACTOR + "FACTORS = (Factor('a b', (1,), ''),)\ndef runs(choices):\n    return []\n",
        "name",
    ),
    "a factor of a known option": (
        FACTOR + "FACTORS = (Factor('epochs', (1,), ''),)\ndef runs(choices):\n    return []\n",
        "epochs",
    ),
}
RUNS = {  # (name, values) of the runs, part of the line
    "the same name twice": ([("a", {}), ("a", {})], "'a'"),
    "a name with a slash": ([("a/b", {})], "a/b"),
    "a name of dots": ([("..", {})], ".."),
    "an empty name": ([("", {})], "name"),
    "a long name": ([("x" * 300, {})], ""),
    "a name that is a number": ([(3, {})], "name"),
    "a NUL name": ([("a\0", {})], "name"),
    "data that are missing": ([("a", {"data": {"path": "nowhere"}})], "nowhere"),
    "weights that are missing": ([("a", {"model": {"weights": "nowhere.h5"}})], "nowhere.h5"),
}
HEAD = (
    "from keras_radtl.config import update\nfrom keras_radtl.sweeps.run_list import RunSpec\n"
    "STUDY = {'data': {'image_size': 32}, 'model': {'backbone': 'tiny', 'weights': 'none'}}\n"
)


def cases() -> Iterator[Case]:
    """Yield the cases."""
    argv = ["some.py", *SWEEP[1:]]
    for kind, (text, expected) in LISTS.items():
        yield Case(kind, "sweep", argv, expected, lambda place, text=text: place.write("some.py", text))
    for kind, (runs, expected) in RUNS.items():
        made = ", ".join(f"RunSpec({name!r}, update(base, {values!r}), {{}})" for name, values in runs)
        text = f"{HEAD}def runs(choices):\n    base = choices.config()\n    return [{made}]\n"
        yield Case(f"runs: {kind}", "sweep", argv, expected, lambda place, text=text: place.write("some.py", text))
    for kind, damage in KINDS.items():
        yield Case(
            f"file: {kind}", "sweep", argv, "some.py", lambda place, damage=damage: damage(place.here / "some.py")
        )
    for kind, content in {
        "binary": bytes(range(256)),
        "NUL": b"x = 1\0\n",
        "Latin-1": b"x = '\xe9'\n",
        "UTF-16": "x = 1".encode("utf-16"),
        "empty": b"",
    }.items():
        yield Case(
            f"content: {kind}", "sweep", argv, "some.py", lambda place, content=content: place.write("some.py", content)
        )
    for name in ("some.txt", "some", "some.yaml"):
        yield Case(f"name {name}", "sweep", [name, *SWEEP[1:]], name, lambda place, name=name: place.write(name, "x"))
    for argv, expected in (
        (["fts", "--output", "out", "--tasks", "nope"], "nope"),
        (["fts", "--output", "out", "--strategies", "nope"], "nope"),
        (["grid176", "--output", "out", "--heads", "nope"], "nope"),
        (["grid176", "--output", "out"], "data"),
        (["unfreezing", "--output", "out", "--nope", "1"], "--nope"),
        (["radimagenet24", "--output", "out", "--data", "nowhere"], ""),
        (["grid176", "--output", "out", "--tasks"], "--tasks"),
        (["fts", "--output", "out", "--set", "training.strategy=ft"], "strategy"),
        (["fts", "--output", "out", "--seeds", "x"], "--seeds"),
        (["fts", "--output", "out", "--rates", "nan"], "nan"),
        (["grid176", "--data-breast", "nowhere", "--tasks", "breast", "--output", "out"], "nowhere"),
    ):
        yield Case(" ".join(argv), "sweep", argv, expected)
