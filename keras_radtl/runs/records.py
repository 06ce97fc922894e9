"""Checks of the JSON files of a run: whatever damaged one, the error names it and what can still be read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

from keras_radtl.config import UserError
from keras_radtl.runs.files import read_json

MONITORS = {"val_auc": "validation AUC", "val_loss": "validation loss"}
STATES = ("running", "finished")
SPLITS = ("train", "val", "test")
_SIDE = (1, 4096)  # pixels


def _is_count(value) -> bool:
    return type(value) is int and 0 <= value < 10**12


def _is_number(value) -> bool:
    return value is None or type(value) in (int, float)


def _is_names(value) -> bool:
    texts = isinstance(value, list) and all(isinstance(name, str) and name for name in value)
    return texts and 0 < len(value) == len(set(value))


def _is_shape(value) -> bool:
    if not isinstance(value, list) or len(value) != 3 or not all(type(side) is int for side in value):
        return False
    return all(_SIDE[0] <= side <= _SIDE[1] for side in value[:2]) and value[2] in (1, 3)


def _is_scores(value) -> bool:
    return isinstance(value, list) and len(value) > 1 and all(map(_is_number, value))


def _is_metrics(value) -> bool:
    rows = isinstance(value, Mapping) and value and all(isinstance(row, Mapping) for row in value.values())
    numbers = ("value", "ci_low", "ci_high")
    return bool(rows) and all(
        all(_is_number(row.get(name)) for name in numbers) and "value" in row and _is_count(row.get("n"))
        for row in value.values()
    )


def _is_finite(value) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _is_threshold(value) -> bool:
    names = ("value", "sensitivity", "specificity")
    return (
        isinstance(value, Mapping)
        and isinstance(value.get("rule"), str)
        and all(map(_is_finite, map(value.get, names)))
    )


def _is_calibration(value, classes: int) -> bool:
    if value is None:  # too few validation cases
        return True
    offset, temperature = (
        value.get(name) if isinstance(value, Mapping) else None for name in ("offset", "temperature")
    )
    each = temperature if isinstance(temperature, list) else [temperature] * classes  # of labels, or of all classes
    numbers = isinstance(offset, list) and all(map(_is_finite, [*offset, *each]))
    return numbers and len(offset) == len(each) == classes and all(number > 0 for number in each)


Check = tuple[Callable[[object], bool], str]
_CLASSIFIER: dict[str, Check] = {
    "classes": (_is_names, "a list of different names"),
    "multilabel": (lambda value: isinstance(value, bool), "true or false"),
    "image_shape": (_is_shape, "height, width and channels"),
}
_ONE_SPLIT: dict[str, Check] = {
    "epochs": (_is_count, "a number of epochs"),
    "best_epoch": (_is_count, "an epoch"),
    "monitor": (lambda value: value in MONITORS, f"one of {', '.join(MONITORS)}"),
}


def read_status(path: Path) -> dict:
    """Read `status.json`: `state`, which is `running` or `finished`, and further values.

    Raises:
        UserError: If the file is damaged.
    """
    values = _read_table(path)
    _require(path, values, {"state": (lambda value: value in STATES, " or ".join(STATES))})
    return values


def read_summary(path: Path) -> dict:
    """Read `summary.json`: classes, whether the task is multi-label, image shape, and the best epoch or the fold AUCs.

    Raises:
        UserError: If the file is missing or damaged.
    """
    advice = f"; {path.parent / 'metrics.json'} and the predictions can still be read"
    values = _read_table(path, advice)
    folds: dict[str, Check] = {"fold_auc": (_is_scores, "a list of the AUC of each fold")}
    _require(path, values, _CLASSIFIER | (folds if "fold_auc" in values else _ONE_SPLIT), advice)
    if not values["multilabel"] and len(values["classes"]) < 2:
        raise UserError(f"{path} is damaged: `classes` must have at least two names{advice}")
    _require(path, values, {name: check for name, check in _learned(values).items() if name in values}, advice)
    return values


def _learned(values: Mapping) -> dict[str, Check]:
    """Return the checks of what was learned from validation cases, which runs of version 0.1 do not have."""
    classes, folds = len(values["classes"]), len(values.get("fold_auc", ()))
    binary = classes == 2 and not values["multilabel"]

    def are_calibrations(found) -> bool:
        rows = isinstance(found, list) and len(found) == folds
        return rows and all(_is_calibration(value, classes) for value in found)

    def are_thresholds(found) -> bool:
        return isinstance(found, list) and len(found) == folds and all(map(_is_finite, found))

    return {
        "threshold": (lambda found: binary and _is_threshold(found), "a threshold with its rates, for two classes"),
        "fold_threshold": (are_thresholds, "the threshold of each fold"),
        "fold_calibration": (are_calibrations, "a temperature and offsets of each class, for each fold"),
    }


def read_metrics(path: Path) -> dict[str, dict]:
    """Read `metrics.json`: for each split the value, interval, number of cases and method of each metric.

    Raises:
        UserError: If the file is missing or damaged.
    """
    advice = "; `predict` and `compare` do not need it"
    values = _read_table(path, advice)
    known = {name: (_is_metrics, "a table of metrics") for name in SPLITS if name in values}
    if not known:
        raise UserError(f"{path} is damaged: it has no metrics{advice}")
    _require(path, values, known, advice)
    return values


def read_environment(path: Path) -> dict:
    """Read `environment.json`: versions, device, and the hashes of data and split.

    Raises:
        UserError: If the file is missing or damaged.
    """
    return _read_table(path, "; `overwrite=True` starts over")


def _read_table(path: Path, advice: str = "") -> dict:
    try:
        values = read_json(path)
    except UserError as error:
        raise UserError(f"{error}{advice}") from None
    if not isinstance(values, dict):
        raise UserError(f"{path} is damaged: it is not a table{advice}")
    return values


def _require(path: Path, values: dict, checks: Mapping[str, Check], advice: str = "") -> None:
    for name, (check, rule) in checks.items():
        try:
            valid = name in values and check(values[name])
        except TypeError:  # a value that cannot be compared
            valid = False
        if not valid:
            raise UserError(f"{path} is damaged: {name!r} must be {rule}{advice}")
