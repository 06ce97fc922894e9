"""The threshold of a binary task, chosen by a rule on validation cases and then applied to other cases."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from keras_radtl.config.errors import require
from keras_radtl.config.prediction import target_rate
from keras_radtl.metrics.operating_points import (
    OperatingPoint,
    operating_point,
    sensitivity_at_specificity,
    specificity_at_sensitivity,
    youden_point,
)

_LIMITED = {"sensitivity": specificity_at_sensitivity, "specificity": sensitivity_at_specificity}


def choose_threshold(
    rule: float | str, targets: ArrayLike, scores: ArrayLike, groups: ArrayLike | None = None
) -> OperatingPoint:
    """Choose a threshold by a rule.

    A chosen threshold lies halfway between the lowest score that is predicted positive and the next lower one, so that
    rounding changes no prediction. The rates are those of the cases that it was chosen on, and therefore optimistic.

    Args:
        rule: a number, which is the threshold; `youden`, the highest sum of sensitivity and specificity;
            `sensitivity:RATE`, the highest specificity with at least this sensitivity; `specificity:RATE`, the highest
            sensitivity with at least this specificity.
        targets: 0/1 array of shape (n,), with both values present unless the rule is a number.
        scores: finite float array of shape (n,), higher means more positive.
        groups: group id (for example the patient) of each case, shape (n,); None if all cases are independent.

    Returns:
        An `OperatingPoint` with Wilson's intervals.

    Raises:
        UserError: if the rule is unknown.
        ValueError: if a class is absent, lengths differ or a score is not finite.
    """
    if not isinstance(rule, str):
        return operating_point(targets, scores, rule, groups=groups)
    name, limit = target_rate(rule)
    require(
        rule == "youden" or name in _LIMITED, "rule", "a number, youden, sensitivity:RATE or specificity:RATE", rule
    )
    scores = np.asarray(scores, dtype=np.float64)
    if name in _LIMITED:
        found = _LIMITED[name](targets, scores, limit, replicates=1)  # its bootstrap interval is not used
    else:
        found = youden_point(targets, scores)
    return operating_point(targets, scores, _between(scores, found.threshold), groups=groups)


def _between(scores: np.ndarray, threshold: float) -> float:
    """Return a number between a threshold and the next lower score, above which the same cases are."""
    lower = scores[scores < threshold]
    middle = (threshold + lower.max()) / 2 if len(lower) else threshold
    return float(middle if len(lower) and middle > lower.max() else threshold)
