"""Configuration files in JSON and YAML that cannot be used."""

from __future__ import annotations

from collections.abc import Iterator

from corpus.case import AUDIT, FIT, SWEEP, TUNE, Case
from corpus.damage import CONTENTS, JSON, KINDS

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefghi", "bcdefghij", strict=True)
)
YAML = {
    "a list": "- 1\n- 2\n",
    "a scalar": "x\n",
    "only a comment": "# nothing\n",
    "a tab": "data:\n\tpath: x\n",
    "open quote": 'seed: "x\n',
    "open bracket": "seed: [1\n",
    "two documents": "seed: 1\n---\nseed: 2\n",
    "a repeated key": "seed: 1\nseed: 2\n",
    "a repeated inner key": "data: {path: a, path: b}\n",
    "a bomb": BOMB,
    "a merge key": "a: &a {x: 1}\ndata:\n  <<: *a\n",
    "a tag": "seed: !!python/object/apply:os.system [x]\n",
    "a custom tag": "seed: !thing 3\n",
    "an alias to itself": "seed: &a [*a]\n",
    "a date": "seed: 2001-01-01\n",
    "an impossible date": "seed: 2001-99-99\n",
    "binary data": "seed: !!binary aGVsbG8=\n",
    "a set": "seed: !!set {a, b}\n",
    "a key that is a number": "1: 2\n",
    "a key that is a list": "? [a]\n: 2\n",
    "a null key": "~: 2\n",
    "5000 digits": f"seed: {'9' * 5000}\n",
    "nested tables": "".join(" " * i + "a:\n" for i in range(200)),
    "3000 braces": "{" * 3000,
    "a long line": "seed: " + "x" * 900_000,
    "more than 1 MB": "# comment\n" * 120_000,
    "a control character": "seed: \x07\n",
    "an unknown key": "nope: 1\n",
    "an unknown inner key": "data: {nope: 1}\n",
    "a value for a section": "augment: 3\n",
    "a section for a value": "seed: {a: 1}\n",
    "a word for a number": "augment: {rotation: many}\n",
    "NaN": "augment: {rotation: .nan}\n",
    "an unknown preset": "preset: nope\n",
    "a preset that is a list": "preset: [a]\n",
    "a preset that is a table": "preset: {a: 1}\n",
    "a preset that is a number": "preset: 3\n",
    "dedent": "data:\n    path: x\n  label: y\n",
    "a percent": "%YAML 9.9\n---\nseed: 1\n",
}
JSON_TEXTS = {
    "single quotes": "{'seed': 1",
    "NaN": '{"augment": {"rotation": NaN}}',
    "Infinity": '{"seed": Infinity}',
    "a repeated key": '{"seed": 1, "seed": 2}',
    "truncated": '{"data": {"path": "x"',
    "two values": '{"seed": 1} {"seed": 2}',
    "a lone surrogate": '{"data": {"label": "\\ud800"}}',
    "a NUL": '{"data": {"label": "a\\u0000b"}}',
    "5000 digits": '{"seed": ' + "9" * 5000 + "}",
    "deep": '{"data": ' * 5000 + "1" + "}" * 5000,
    "a number": "3",
    "text": '"x"',
    "null": "null",
    "true": "true",
    "1e400": '{"augment": {"rotation": 1e400}}',
}
OTHER = {  # files that are other things
    **KINDS,
    **{f"{name} ": damage for name, damage in CONTENTS.items()},
    **{f"{name}.": damage for name, damage in JSON.items()},
}


def cases() -> Iterator[Case]:
    """Yield the cases."""
    for kind, text in YAML.items():
        yield _case("fit", FIT, f"YAML with {kind}", "c.yaml", text)
    for kind, text in JSON_TEXTS.items():
        yield _case("fit", FIT, f"JSON with {kind}", "c.json", text)
    for kind, damage in OTHER.items():

        def prepare(place, damage=damage):
            damage(place.write("c.json", '{"seed": 1, "training": {"epochs": 3}}'))

        yield Case(f"fit file: {kind}", "fit", [*FIT, "--config", "c.json"], "c.json", prepare)
    for command, base in (("audit", AUDIT), ("sweep", SWEEP), ("tune", TUNE)):
        for kind in ("a list", "a bomb", "an unknown key", "a date"):
            yield _case(command, base, f"YAML with {kind}", "c.yaml", YAML[kind])
        yield Case(f"{command} file: missing", command, [*base, "--config", "c.json"], "c.json")
    for kind, path in {
        "NUL": "a\0b",
        "long": "x" * 5000,
        "surrogate": "a\ud800",
        "empty": "/",
        "of nobody": "~nosuchuser/c.json",
    }.items():
        yield Case(f"fit path: {kind}", "fit", [*FIT, "--config", path], "")


def _case(command: str, base: list[str], kind: str, name: str, text: str) -> Case:
    return Case(f"{command} {kind}", command, [*base, "--config", name], "", lambda place: place.write(name, text))
