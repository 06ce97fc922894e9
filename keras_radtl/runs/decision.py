"""What is learned from validation cases after training: the threshold, and the calibration of each fold.

Both are stored in `summary.json` and used for all other cases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from keras_radtl.config import PredictionConfig
from keras_radtl.data.table import CaseTable
from keras_radtl.metrics.logit_calibration import Calibration, fit_calibration, fit_label_calibration
from keras_radtl.metrics.threshold_rules import choose_threshold
from keras_radtl.models.probabilities import to_probabilities
from keras_radtl.runs.inference import require_finite
from keras_radtl.runs.results import Predictions

THRESHOLD, FOLD_THRESHOLD, FOLD_CALIBRATION = "threshold", "fold_threshold", "fold_calibration"  # in `summary.json`
FEWEST = 5  # validation cases of each class for a calibration
HALF = PredictionConfig.threshold


def decide(
    rule: float | str, table: CaseTable, parts: Mapping[str, Predictions]
) -> tuple[dict[str, Predictions], dict[str, dict]]:
    """Choose the threshold of a model on its validation cases.

    Args:
        rule: `prediction.threshold` of the configuration.
        table: The cases.
        parts: Predictions by split.
    Returns:
        The predictions with the threshold, and the entry `threshold` for `summary.json`; {} without one.
    Raises:
        UserError: If a logit of a validation case is not finite.
    """
    validation = parts["val"]
    require_finite(validation.logits, [table.cases[index] for index in validation.indices])
    threshold = validation_threshold(rule, table, validation)
    if threshold is None:
        return dict(parts), {}
    applied = applied_threshold({THRESHOLD: threshold})
    return {name: replace(part, threshold=applied) for name, part in parts.items()}, {THRESHOLD: threshold}


def validation_threshold(rule: float | str, table: CaseTable, validation: Predictions) -> dict | None:
    """Return the threshold of a binary task with its rates on validation cases; None for other tasks.

    Args:
        rule: `prediction.threshold` of the configuration.
        table: The cases.
        validation: Predictions of the validation cases.
    Returns:
        Dict with `value`, `rule`, `sensitivity` and `specificity`.
    """
    if table.multilabel or len(table.classes) != 2:
        return None
    targets, probabilities, groups = _known(table, validation)
    # with the threshold 0.5 the class of highest probability is predicted: the first one at exactly 0.5
    point = choose_threshold(np.nextafter(HALF, 1) if rule == HALF else rule, targets, probabilities[:, 1], groups)
    value = HALF if rule == HALF else point.threshold
    return {
        "value": value,
        "rule": str(rule),
        "sensitivity": point.sensitivity.value,
        "specificity": point.specificity.value,
    }


def applied_threshold(summary: Mapping) -> float | None:
    """Return the threshold of a summary; None if the class of highest probability is predicted."""
    threshold = summary.get(THRESHOLD)
    return None if threshold is None or threshold["rule"] == str(HALF) else threshold["value"]


def validation_calibration(table: CaseTable, validation: Predictions) -> dict | None:
    """Return the calibration of a fold on its validation cases.

    Returns:
        Dict with `temperature` and `offset`; None if a class has fewer than 5 cases, or a label fewer than 5 cases
        with or without it.
    """
    targets, logits = table.targets[validation.indices], validation.logits
    if table.multilabel:
        if min((targets == 0).sum(axis=0).min(), (targets == 1).sum(axis=0).min()) < FEWEST:
            return None
        found = fit_label_calibration(targets, logits)
        return {"temperature": list(found.temperature), "offset": list(found.offset)}
    known = targets >= 0
    if np.bincount(targets[known], minlength=len(table.classes)).min() < FEWEST:
        return None
    found = fit_calibration(targets[known], logits[known])
    return {"temperature": found.temperature, "offset": list(found.offset)}


def fold_calibrations(summary: Mapping) -> tuple[Calibration, ...]:
    """Return the calibration of each fold of a run; () if it has none, or not one of every fold."""
    found = summary.get(FOLD_CALIBRATION) or ()
    if any(values is None for values in found):
        return ()
    return tuple(Calibration(*(_fixed(values[name]) for name in Calibration._fields)) for values in found)


def _fixed(value):
    return tuple(value) if isinstance(value, list) else value


def _known(table: CaseTable, predictions: Predictions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the targets, probabilities and groups of the cases with a label."""
    known = np.flatnonzero(table.targets[predictions.indices] >= 0)
    indices = predictions.indices[known]
    probabilities = to_probabilities(predictions.logits[known], table.multilabel)
    return table.targets[indices], probabilities, np.asarray(table.groups)[indices]
