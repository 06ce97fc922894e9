"""Figures of merit where each case may have several labels at once and some may be unknown.

Every figure is the mean over labels of the figure of one label, present against absent, over the cases where it is
known. `average_precision` is then what the literature calls mAP, `accuracy` the macro accuracy. A label counts as
predicted above a probability of one half.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keras_radtl.metrics.classification import METRICS, Metric, bootstrap_metrics, classification_metrics, exact_auc
from keras_radtl.metrics.weighted import Confusion, Ranking, weighted_mean
from keras_radtl.stats.intervals import group_codes

MULTILABEL_METRICS = (*METRICS, "kappa")


def multilabel_auc(targets, probabilities) -> float:
    """Return the mean AUC over labels, for choosing epochs.

    Args:
        targets: array of shape (n, n_labels) of 0, 1 and NaN (unknown).
        probabilities: float array of the same shape.

    Returns:
        The mean AUC, or NaN when a label lacks positives or negatives or a probability is NaN.
    """
    targets, probabilities = np.asarray(targets, dtype=np.float64), np.asarray(probabilities)
    known = ~np.isnan(targets)
    return float(
        np.mean(
            [
                exact_auc(column[rows], scores[rows])
                for column, scores, rows in zip(targets.T, probabilities.T, known.T, strict=True)
            ]
        )
    )


def multilabel_metrics(
    targets,
    probabilities,
    labels: Sequence[str],
    groups=None,
    seed: int = 0,
    confidence: float = 0.95,
    replicates: int = 1000,
) -> dict[str, Metric]:
    """Judge predicted label probabilities by the mean over labels of each figure, with bootstrap intervals.

    Args:
        targets: array of shape (n, n_labels) of 0, 1 and NaN (unknown).
        probabilities: float array of the same shape, each in [0, 1].
        labels: names in target order.
        groups: None, or n ids of patients, exams, ... that are drawn as wholes.
        seed: of the bootstrap.
        confidence: level of all intervals, in (0, 1).
        replicates: bootstrap samples.

    Returns:
        A `Metric` for every name in `MULTILABEL_METRICS`; None where a label lacks what the figure needs.

    Raises:
        ValueError: when shapes disagree, a target is not 0, 1 or NaN or a probability is NaN or outside [0, 1].
    """
    targets, probabilities = _checked(targets, probabilities, labels)
    n = len(targets)
    if n == 0:
        return {name: Metric(None, None, None, 0, "undefined: no case") for name in MULTILABEL_METRICS}
    parts = [_Label(column, scores) for column, scores in zip(targets.T, probabilities.T, strict=True)]
    poor = [label for label, part in zip(labels, parts, strict=True) if len(np.unique(part.positive)) < 2]
    reason = f"undefined: no positive or no negative case of {', '.join(poor)}" if poor else "undefined"

    def statistic(weights: np.ndarray) -> np.ndarray:
        return np.mean([part(weights) for part in parts], axis=0)

    return bootstrap_metrics(
        statistic, MULTILABEL_METRICS, group_codes(n, groups), reason, seed, confidence, replicates
    )


def label_metrics(
    targets,
    probabilities,
    labels: Sequence[str],
    groups=None,
    seed: int = 0,
    confidence: float = 0.95,
    replicates: int = 1000,
) -> dict[str, dict[str, Metric]]:
    """Judge each label by itself, present against absent, over the cases where it is known.

    Args and errors as in `multilabel_metrics`.

    Returns:
        For every label the figures of `classification_metrics`.
    """
    targets, probabilities = _checked(targets, probabilities, labels)
    found = {}
    for index, label in enumerate(labels):
        known = ~np.isnan(targets[:, index])
        present = probabilities[known, index]
        found[label] = classification_metrics(
            targets[known, index],
            np.stack([1 - present, present], axis=1),
            (f"no {label}", label),
            None if groups is None else np.asarray(groups)[known],
            seed,
            confidence,
            replicates,
        )
    return found


class _Label:
    """The figures of one label under blocks of weights over all cases, one column per name."""

    def __init__(self, targets: np.ndarray, scores: np.ndarray):
        self.known = np.flatnonzero(~np.isnan(targets))
        scores = scores[self.known]
        self.positive, self.predicted = targets[self.known] == 1, scores > 0.5
        self.ranking = Ranking(self.positive, scores)
        self.brier = (scores - self.positive) ** 2
        tiny = np.finfo(np.float64).eps
        self.log_loss = -np.log(np.clip(np.where(self.positive, scores, 1 - scores), tiny, 1 - tiny))

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        weights = weights[:, self.known]
        table = Confusion(weights, self.positive, self.predicted)
        sensitivity, specificity = table.sensitivity(), table.specificity()
        figures = {
            "auc": self.ranking.auc(weights),
            "accuracy": table.accuracy(),
            "f1": table.f1(),
            "sensitivity": sensitivity,
            "specificity": specificity,
            "balanced_accuracy": (sensitivity + specificity) / 2,
            "average_precision": self.ranking.average_precision(weights),
            "brier": weighted_mean(weights, self.brier),
            "log_loss": weighted_mean(weights, self.log_loss),
            "kappa": table.kappa(),
        }
        return np.stack([figures[name] for name in MULTILABEL_METRICS], axis=1)


def _checked(targets, probabilities, labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    targets, probabilities = np.asarray(targets, dtype=np.float64), np.asarray(probabilities, dtype=np.float64)
    if targets.ndim != 2 or targets.shape[1] != len(labels) or probabilities.shape != targets.shape:
        raise ValueError(
            f"`targets` and `probabilities` must have the shape (n, {len(labels)}). "
            f"Received: {targets.shape} and {probabilities.shape}"
        )
    if not (np.isnan(targets) | np.isin(targets, (0, 1))).all():
        raise ValueError(f"`targets` must be 0, 1 or NaN. Received: values {np.unique(targets)[:5].tolist()}")
    inside = (probabilities >= 0) & (probabilities <= 1)
    if not inside.all():
        raise ValueError(f"`probabilities` must lie in [0, 1]. Received: {int((~inside).sum())} values outside or NaN")
    return targets, probabilities
