"""Whether a training has diverged, and the mark of its metrics.

A training has diverged if the model of the selected epoch is far worse on its own training cases than a model that
ignores the images: its mean cross-entropy is more than `FACTOR` times that of equal probabilities, which is log 2 for
two classes and for labels, and log k for k classes. A run with a bad epoch that is not selected has not diverged.

Models before training are near 1 time, overconfident ones at 1 to 4 times; learning rates that are much too high give
50 times and more. Equal probabilities are the constant prediction that does not depend on class weights or sampling;
the class frequencies have a lower loss, which a model trained with balanced weights rightly exceeds.
"""

from __future__ import annotations

import math

import numpy as np

from keras_radtl.models.probabilities import mean_loss

FACTOR = 10.0
MARK = "; the training diverged"  # the end of `method` of each metric of such a model
ADVICE = "the training diverged: predictions are far worse than equal probabilities; use a lower learning rate"


def training_loss(logits: np.ndarray, targets: np.ndarray, multilabel: bool) -> float:
    """Return the mean cross-entropy of cases with a known label, without class weights.

    Args:
        logits: float array of shape (n_cases, n_classes).
        targets: int array of class indices, -1 if unknown, of shape (n_cases,); if `multilabel`, an array of shape
            (n_cases, n_labels) with 0, 1 or NaN.
        multilabel: Whether each logit is for an independent label.
    """
    known = np.ones(len(logits), bool) if multilabel else targets >= 0
    return mean_loss(logits[known], targets[known], multilabel)


def constant_loss(num_classes: int, multilabel: bool) -> float:
    """Return the cross-entropy of equal probabilities for all classes, or of 1/2 for each label."""
    return math.log(2 if multilabel else num_classes)


def has_diverged(loss: float, num_classes: int, multilabel: bool) -> bool:
    """Return whether a `training_loss` is not finite or more than `FACTOR` times the `constant_loss`."""
    return not loss <= FACTOR * constant_loss(num_classes, multilabel)


def marked(metrics: dict[str, dict], diverged: bool) -> dict[str, dict]:
    """Return metrics by name, with `MARK` at the end of each `method` if the training of the model has diverged."""
    if not diverged:
        return metrics
    return {name: {**metric, "method": metric["method"] + MARK} for name, metric in metrics.items()}
