"""Search spaces and searches that cannot be used."""

from __future__ import annotations

from collections.abc import Iterator

from corpus.case import TUNE, Case, Place
from corpus.damage import CONTENTS, JSON, KINDS

SPACES = {  # content, part of the line
    "empty": ("", ""),
    "a list": ("[a, b]", ""),
    "an empty table": ("{}", ""),
    "an unknown key": ("nope.x: [1, 2]", "nope"),
    "a section": ("training: [1, 2]", "training"),
    "a value": ("training.epochs: 3", "training.epochs"),
    "the epochs": ("training.epochs: [3, 4]", "training.epochs"),
    "the seed of the split": ("split.seed: [1, 2]", "split.seed"),
    "the data": ("data.path: [a, b]", "data.path"),
    "no values": ("model.head.name: []", "model.head.name"),
    "an unknown value": ("model.head.name: [nope]", "nope"),
    "a wrong type": ("training.learning_rate: [a, b]", "learning_rate"),
    "a list of lists": ("model.head.name: [[linear]]", "name"),
    "null": ("model.head.name: null", "model.head.name"),
    "a text": ("model.head.name: linear", "model.head.name"),
    "low above high": ("training.learning_rate: {low: 1, high: 0.1}", "training.learning_rate"),
    "low without high": ("training.learning_rate: {low: 1}", "training.learning_rate"),
    "a range of words": ("training.learning_rate: {low: a, high: b}", "training.learning_rate"),
    "a NaN range": ("training.learning_rate: {low: .nan, high: 1}", "learning_rate"),
    "an infinite range": ("training.learning_rate: {low: 0.1, high: .inf}", "learning_rate"),
    "log of zero": ("model.head.dropout: {low: 0, high: 0.5, log: true}", "model.head.dropout"),
    "step zero": ("model.head.dropout: {low: 0, high: 0.5, step: 0}", "model.head.dropout"),
    "a negative step": ("model.head.dropout: {low: 0, high: 0.5, step: -1}", "model.head.dropout"),
    "a step of words": ("model.head.dropout: {low: 0, high: 0.5, step: x}", "model.head.dropout"),
    "a tiny step": ("model.head.dropout: {low: 0, high: 0.5, step: 1.0e-300}", "model.head.dropout"),
    "log of words": ("model.head.dropout: {low: 0.1, high: 0.5, log: x}", "model.head.dropout"),
    "an unknown field": ("model.head.dropout: {low: 0, high: 0.5, nope: 1}", "nope"),
    "both values and range": ("model.head.dropout: {values: [0.1], low: 0, high: 0.5}", "model.head.dropout"),
    "a range of names": ("model.head.name: {low: 0, high: 1}", "model.head.name"),
    "beyond the bounds": ("model.head.dropout: {low: 0, high: 7}", "dropout"),
    "a condition on nothing": ("model.head.dropout: {values: [0.1], when: {nope: [1]}}", "nope"),
    "a condition on itself": (
        "model.head.dropout: {values: [0.1], when: {model.head.dropout: [0.1]}}",
        "model.head.dropout",
    ),
    "a ring of conditions": (
        "model.head.dropout: {values: [0.1], when: {model.head.filters: [4]}}\n"
        "model.head.filters: {values: [4], when: {model.head.dropout: [0.1]}}",
        "",
    ),
    "a condition that never holds": (
        "model.head.name: [linear]\nmodel.head.filters: {values: [4], when: {model.head.name: [conv]}}",
        "model.head.name",
    ),
    "a condition that is a text": ("model.head.dropout: {values: [0.1], when: x}", "model.head.dropout"),
    "a condition without values": (
        "model.head.name: [linear, conv]\nmodel.head.filters: {values: [4], when: {model.head.name: []}}",
        "",
    ),
    "a whole range of fractions": ("model.head.filters: {low: 1.5, high: 4.5}", "model.head.filters"),
    "values of two kinds": ("model.head.dropout: [0.1, linear]", "dropout"),
    "1e5 digits": (f"model.head.filters: [{'9' * 5000}]", ""),
    "an alias": ("model.head.name: &a [linear]\nmodel.head.dropout: *a", ""),
    "a repeated key": ("model.head.name: [linear]\nmodel.head.name: [conv]", "model.head.name"),
    "fewer combinations than trials": ("model.head.name: [linear, conv]", "combinations"),
}
PYTHON = {
    "no SPACE": "x = 1\n",
    "a SPACE that is a list": "SPACE = [1]\n",
    "a syntax error": "SPACE = {\n",
    "an error": "raise ValueError('bang')\n",
    "an exit": "raise SystemExit(7)\n",
    "an import error": "import nope_nope\n",
    "a SPACE of classes": "SPACE = {'model.head.name': [object()]}\n",
    "keys that are numbers": "SPACE = {1: [2]}\n",
}
SETTINGS = (
    (["--algorithm", "random", "--factor", "3"], "--factor"),
    (["--trials", "3"], "--trials"),
    (["--algorithm", "bayesian", "--min-epochs", "1"], "--min-epochs"),
    (["--algorithm", "random", "--iterations", "2"], "--iterations"),
    (["--factor", "1"], "--factor"),
    (["--max-epochs", "1000000"], "--max-epochs"),
    (["--folds", "5"], "fold"),
)


def cases() -> Iterator[Case]:
    """Yield the cases."""
    short = [*TUNE, "--space", "space.yaml"]
    for kind, (text, expected) in SPACES.items():
        argv = [*short, "--max-epochs=9"] if kind == "fewer combinations than trials" else short
        yield Case(
            f"space with {kind}", "tune", argv, expected, lambda place, text=text: place.write("space.yaml", text)
        )
    for kind, text in PYTHON.items():
        yield Case(
            f"Python space: {kind}",
            "tune",
            [*TUNE, "--space", "space.py"],
            "",
            lambda place, text=text: place.write("space.py", text),
        )
    for kind, damage in {**KINDS, **CONTENTS, **JSON}.items():

        def prepare(place: Place, damage=damage) -> None:
            damage(place.write("space.json", '{"model.head.name": ["linear", "conv"]}'))

        yield Case(f"file: {kind}", "tune", [*TUNE, "--space", "space.json"], "space.json", prepare)
    for kind, name in {
        "unknown": "nope",
        "empty": "",
        "NUL": "a\0b",
        "long": "x" * 5000,
        "surrogate": "a\ud800",
    }.items():
        yield Case(f"name: {kind}", "tune", [*TUNE, "--space", name], "space")
    for options, expected in SETTINGS:
        yield Case(" ".join(options), "tune", [*TUNE, *options], expected)
    for file in ("search.json",):
        for kind, damage in {**CONTENTS, **JSON}.items():

            def search(place: Place, file=file, damage=damage) -> None:
                damage(place.write(f"out/{file}", '{"algorithm": {}}'))

            yield Case(f"{file}: {kind}", "tune", [*TUNE, "--algorithm", "random", "--trials", "1"], file, search)
