"""The section `prediction`: how a trained model predicts cases."""

from __future__ import annotations

import math
from dataclasses import dataclass

from keras_radtl.config.errors import require
from keras_radtl.config.fields import check_fields, count_in, number

MOST_VIEWS = 64
RATES = ("sensitivity", "specificity")


@dataclass(frozen=True)
class PredictionConfig:
    """Views of an image and threshold with which validation, test and new cases are predicted after training."""

    #: views of an image whose logits are averaged: none | flips | rotations (quarter turns) | views:K (the image and K
    #: augmented copies)
    tta: str = "none"
    #: probability from which a case of a binary task is predicted positive: a number | youden | sensitivity:RATE |
    #: specificity:RATE, chosen on validation cases
    threshold: float | str = number(0.5, "(0, 1)")

    def __post_init__(self):
        check_fields(self)
        valid = self.tta in ("none", "flips", "rotations") or augmented_views(self.tta) > 0
        require(valid, "tta", f"none, flips, rotations, or views:K with K from 1 to {MOST_VIEWS}", self.tta)
        if isinstance(self.threshold, str) and self.threshold != "youden":
            name, rate = target_rate(self.threshold)
            rule = "a number in (0, 1), youden, or sensitivity:RATE or specificity:RATE with a rate in (0, 1]"
            require(name in RATES and 0 < rate <= 1, "threshold", rule, self.threshold)


def augmented_views(tta: str) -> int:
    """Return K of `views:K`, or 0 if `tta` is something else or K is not in [1, 64]."""
    count = count_in(tta.removeprefix("views:")) if tta.startswith("views:") else None
    return count if count is not None and count <= MOST_VIEWS else 0


def target_rate(rule: str) -> tuple[str, float]:
    """Return the two parts of `sensitivity:RATE` or `specificity:RATE`; the rate is NaN if it is no number."""
    name, _, text = rule.partition(":")
    try:
        return name, float(text) if text.isascii() else math.nan
    except ValueError:
        return name, math.nan
