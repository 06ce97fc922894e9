"""Run directories in which a file is missing, damaged or contradicts another."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import numpy as np

from corpus.case import FIT, Case, Place
from corpus.damage import CONTENTS, JSON, KINDS, MODEL, remove

EVALUATE, ON_NEW = ["run"], ["run", "--data", "<pictures>", "--output", "out"]
PREDICT, COMPARE = ["run", "<image>", "--output", "new.csv"], ["run", "<run>", "--output", "out"]
AGAIN = [*FIT[:-1], "run"]  # the command of the run
COMMANDS = {  # name of the case: command, arguments, files that it reads
    "evaluate": ("evaluate", EVALUATE, ("config.json", "status.json", "summary.json", "metrics.json")),
    "evaluate on new data": ("evaluate", ON_NEW, ("config.json", "status.json", "summary.json", "model.keras")),
    "predict": ("predict", PREDICT, ("config.json", "status.json", "summary.json", "model.keras")),
    "compare": ("compare", COMPARE, ("status.json", "summary.json", "predictions_test.csv")),
    "fit --resume": ("fit", [*AGAIN, "--resume"], ("config.json", "status.json", "summary.json", "metrics.json")),
}
TABLE = {k: v for k, v in {**KINDS, **CONTENTS}.items() if k != "truncated"}
DAMAGE = {"model.keras": {**KINDS, **MODEL}, "predictions_test.csv": TABLE}


def in_run(name: str, damage: Callable, source: str = "run") -> Callable[[Place], None]:
    """Return a preparation that copies a run and damages one of its files."""
    return lambda place: damage(place.copy(source, "run") / name)


def change(name: str, changes: dict, source: str = "run") -> Callable[[Place], None]:
    """Return a preparation that copies a run and changes values of a JSON file; `...` removes a key."""

    def prepare(place: Place) -> None:
        file = place.copy(source, "run") / name
        values = json.loads(file.read_text()) | changes
        file.write_text(json.dumps({key: value for key, value in values.items() if value is not ...}))

    return prepare


VALUES = {  # wrong values of right JSON, by file
    "summary.json": [
        {"multilabel": "x"},
        {"multilabel": 1},
        {"multilabel": ...},
        {"classes": ...},
        {"classes": "ab"},
        {"classes": ["a"]},
        {"classes": []},
        {"classes": ["a", "a"]},
        {"classes": [1, 2]},
        {"classes": ["a", "b", "c"]},
        {"image_shape": ...},
        {"image_shape": [32, 32]},
        {"image_shape": [0, 0, 1]},
        {"image_shape": [-32, 32, 1]},
        {"image_shape": ["32", 32, 1]},
        {"image_shape": [32, 32, 7]},
        {"image_shape": [10**9, 10**9, 1]},
        {"image_shape": "x"},
        {"fold_auc": 3},
        {"fold_auc": [0.5, 0.5]},
        {"fold_auc": "x"},
        {"threshold": 0.5},
        {"threshold": {"value": "x", "rule": "youden", "sensitivity": 1.0, "specificity": 1.0}},
    ],
    "status.json": [{"state": ...}, {"state": "running"}, {"state": 3}, {"state": ["finished"]}, {"state": "done"}],
    "config.json": [
        {"seed": -1},
        {"model": 3},
        {"model": {"backbone": "nope"}},
        {"nope": 1},
        {"training": {"epochs": 0}},
    ],
    "metrics.json": [
        {"test": 3},
        {"test": {"auc": 3}},
        {"test": {"auc": {}}},
        {"test": {"auc": {"value": "x", "ci_low": None, "ci_high": None, "n": 3, "method": ""}}},
        {"val": []},
    ],
}
OTHER_FILE = ({"classes": ["a", "b", "c"]}, {"fold_auc": [0.5, 0.5]})  # of the right form, but no model fits
READERS = {
    "summary.json": ("evaluate on new data", "predict"),
    "status.json": ("evaluate", "predict", "compare"),
    "config.json": ("evaluate", "predict", "fit --resume"),
    "metrics.json": ("evaluate", "fit --resume"),
}


def cases() -> Iterator[Case]:
    """Yield the cases."""
    for kind, (command, argv, files) in COMMANDS.items():
        for file in files:
            for damage, function in DAMAGE.get(file, {**KINDS, **CONTENTS, **JSON}).items():
                expected = "" if damage == "missing" and file == "config.json" else file
                yield Case(f"{kind}, {file}: {damage}", command, argv, expected, in_run(file, function))
    for file, changes in VALUES.items():
        for kind in READERS[file]:
            command, argv, _ = COMMANDS[kind]
            for number, values in enumerate(changes):
                expected = "" if file == "config.json" or values in OTHER_FILE else file
                if "running" in values.values():
                    expected = "not finished"
                yield Case(
                    f"{kind}, {file} with {number}: {str(values)[:40]}", command, argv, expected, change(file, values)
                )
    yield from _folds()
    yield from _models()
    yield from _unfinished()
    yield from _predictions()
    for kind, damage in KINDS.items():
        for name in ("evaluate", "predict"):
            command, argv, _ = COMMANDS[name]
            yield Case(
                f"{name}, no run but {kind}",
                command,
                argv,
                "run",
                lambda place, damage=damage: damage(place.here / "run"),
            )
    for name in ("evaluate", "predict"):
        command, argv, _ = COMMANDS[name]
        yield Case(f"{name}, a file", command, argv, "run", lambda place: place.write("run", "x"))
        yield Case(f"{name}, other files", command, argv, "run", lambda place: place.write("run/thesis.tex", "x"))
        yield Case(f"{name}, the pictures", command, ["<pictures>", *argv[1:]], "not a run directory")


def _folds() -> Iterator[Case]:
    for command, argv, files in (
        ("predict", PREDICT, ("fold_1/model.keras", "fold_2/model.keras")),
        ("evaluate", ON_NEW, ("fold_2/model.keras",)),
    ):
        for file in files:
            for kind, damage in {"missing": KINDS["missing"], **MODEL}.items():
                yield Case(f"{command} with folds, {file}: {kind}", command, argv, file, in_run(file, damage, "folds"))
    yield Case(
        "predict with folds, no folder", "predict", PREDICT, "fold_2", in_run("fold_2", KINDS["missing"], "folds")
    )
    yield Case(
        "predict with folds, fewer",
        "predict",
        PREDICT,
        "summary.json",
        change("summary.json", {"fold_auc": []}, "folds"),
    )
    yield Case(
        "predict with folds, more",
        "predict",
        PREDICT,
        "fold_3",
        change("summary.json", {"fold_auc": [0.5] * 3, "fold_calibration": ..., "fold_diverged": ...}, "folds"),
    )
    yield Case(
        "predict with folds, fewer calibrations",
        "predict",
        PREDICT,
        "summary.json",
        change("summary.json", {"fold_calibration": [None]}, "folds"),
    )


def _models() -> Iterator[Case]:
    """Yield models that are read but do not fit, or give no numbers."""
    for kind in ("evaluate on new data", "predict"):
        command, argv, _ = COMMANDS[kind]
        yield Case(
            f"{kind}, model of another head",
            command,
            argv,
            "model.keras",
            change("config.json", {"model": {"backbone": "tiny", "weights": "none", "head": {"name": "conv_skip"}}}),
        )
        yield Case(f"{kind}, model of NaN", command, argv, "finite", lambda place: place.copy("nan_run", "run"))


LATE = ("environment.json", "checkpoint.npz", "best_0001.npz")  # read after the model is built


def _unfinished() -> Iterator[Case]:
    """Yield runs that cannot resume."""
    for file in ("config.json", "status.json", "environment.json", "checkpoint.npz", "best_0001.npz"):
        damages = {**KINDS, **MODEL} if file.endswith(".npz") else {**KINDS, **CONTENTS, **JSON}
        for kind, damage in damages.items():
            if kind == "missing" and file == "checkpoint.npz":
                continue  # begins again
            yield Case(
                f"resume, {file}: {kind}",
                "fit",
                AGAIN,
                file if kind != "missing" or file != "config.json" else "",
                in_run(file, damage, "half"),
                slow=file in LATE and kind not in ("missing", "truncated", "a list"),
            )
    yield Case(
        "resume, another configuration", "fit", [*AGAIN, "--seed", "7"], "seed", lambda place: place.copy("half", "run")
    )
    yield Case(
        "resume, other data", "fit", [*AGAIN], "data_sha256", change("environment.json", {"data_sha256": "0"}, "half")
    )
    yield Case(
        "resume, checkpoint without state",
        "fit",
        AGAIN,
        "checkpoint.npz",
        _checkpoint(lambda arrays: arrays.pop("state")),
    )
    yield Case(
        "resume, checkpoint with a list",
        "fit",
        AGAIN,
        "checkpoint.npz",
        _checkpoint(lambda arrays: arrays.update(state=np.frombuffer(b"[1]", np.uint8))),
    )
    yield Case(
        "resume, checkpoint with unknown keys",
        "fit",
        AGAIN,
        "checkpoint.npz",
        _checkpoint(lambda arrays: arrays.update(state=np.frombuffer(b'{"nope": 1}', np.uint8))),
    )
    yield Case(
        "resume, checkpoint with text",
        "fit",
        AGAIN,
        "checkpoint.npz",
        _checkpoint(lambda arrays: arrays.update(state=np.frombuffer(b'{"epoch": "x"}', np.uint8))),
    )
    yield Case(
        "resume, checkpoint with another shape",
        "fit",
        AGAIN,
        "checkpoint",
        _checkpoint(lambda arrays: arrays.update({n: np.zeros(7) for n in arrays if n.startswith("weight/")})),
    )
    yield Case(
        "resume, checkpoint with NaN weights",
        "fit",
        AGAIN,
        "finite",
        _checkpoint(
            lambda arrays: arrays.update({n: v * np.nan for n, v in arrays.items() if n.startswith("weight/")})
        ),
    )
    yield Case(
        "resume, checkpoint without weights of the optimizer",
        "fit",
        AGAIN,
        "checkpoint",
        _checkpoint(lambda arrays: [arrays.pop(n) for n in list(arrays) if n.startswith("optimizer/")]),
    )
    yield Case(
        "resume, checkpoint of objects",
        "fit",
        AGAIN,
        "checkpoint.npz",
        _checkpoint(lambda arrays: arrays.update(state=np.array([{}], object))),
    )
    yield Case("evaluate unfinished", "evaluate", ["<half>"], "not finished")
    yield Case("predict unfinished", "predict", ["<half>", "<image>"], "not finished")
    yield Case("compare unfinished", "compare", ["<half>", "<run>", "--output", "out"], "not finished")
    yield Case("fit finished", "fit", AGAIN, "--overwrite", lambda place: place.copy("run", "run"))


def _checkpoint(edit: Callable[[dict], object]) -> Callable[[Place], None]:
    def prepare(place: Place) -> None:
        file = place.copy("half", "run") / "checkpoint.npz"
        with np.load(file) as read:
            arrays = {name: read[name] for name in read.files}
        edit(arrays)
        np.savez(file, **arrays)

    return prepare


def _predictions() -> Iterator[Case]:
    """Yield predictions of a run that contradict themselves."""

    def edited(edit: Callable[[list[str]], list[str]]) -> Callable[[Place], None]:
        def prepare(place: Place) -> None:
            file = place.copy("run", "run") / "predictions_test.csv"
            file.write_text("\n".join(edit(file.read_text().splitlines())) + "\n")

        return prepare

    edits: dict[str, Callable[[list[str]], list[str]]] = {
        "a case less": lambda lines: lines[:-1],
        "a case twice": lambda lines: [*lines, lines[-1]],
        "no rows": lambda lines: lines[:1],
        "NaN": lambda lines: [*lines[:-1], ",".join([*lines[-1].split(",")[:-2], "nan", "nan"])],
        "another label": lambda lines: [
            *lines[:-1],
            lines[-1].replace("malignant [sic] (2),", "benign mass,", 1)
            if lines[-1].count("malignant [sic] (2),")
            else lines[-1].replace("benign mass,", "nope,", 1),
        ],
        "no case column": lambda lines: [lines[0].replace("case", "kase", 1), *lines[1:]],
        "no label column": lambda lines: [lines[0].replace("label", "lable", 1), *lines[1:]],
        "a word": lambda lines: [*lines[:-1], ",".join([*lines[-1].split(",")[:-1], "x"])],
        "a short row": lambda lines: [*lines, "a,b"],
        "an infinite score": lambda lines: [*lines[:-1], ",".join([*lines[-1].split(",")[:-1], "inf"])],
        "no probabilities": lambda lines: [line.rsplit(",", 2)[0] for line in lines],
    }
    for kind, edit in edits.items():
        yield Case(f"compare, predictions with {kind}", "compare", COMPARE, "predictions_test.csv", edited(edit))
    for split in ("val", "test"):
        yield Case(
            f"compare, no predictions of {split}",
            "compare",
            [*COMPARE, "--split", split],
            f"predictions_{split}.csv",
            lambda place, split=split: remove(place.copy("run", "run") / f"predictions_{split}.csv"),
        )
