"""Metrics of multi-label classification, where a case may have several labels and some of them may be unknown.

Every metric is the mean over labels. For each label it is computed over the cases whose label is known. The mean of
`average_precision` is known as mAP, that of `accuracy` as macro accuracy. A label is predicted if its probability is
above 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from keras_radtl.metrics.classification import METRICS, classification_metrics, exact_auc
from keras_radtl.metrics.estimates import Metric, bootstrap_metrics
from keras_radtl.metrics.weighted import Confusion, Ranking, weighted_mean
from keras_radtl.stats.intervals import group_codes

MULTILABEL_METRICS = (*METRICS, "kappa")


def multilabel_auc(targets: ArrayLike, probabilities: ArrayLike) -> float:
    """Compute the mean AUC over labels, for example to select the best epoch.

    Args:
        targets: array of shape (n, n_labels) with values 0, 1 and NaN (unknown).
        probabilities: float array of the same shape.

    Returns:
        The mean AUC, or NaN if a label has no positives or no negatives or a probability is NaN.
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
    targets: ArrayLike,
    probabilities: ArrayLike,
    labels: Sequence[str],
    groups: ArrayLike | None = None,
    seed: int = 0,
    confidence: float = 0.95,
    replicates: int = 1000,
) -> dict[str, Metric]:
    """Compute the mean over labels of ten metrics, each with a bootstrap confidence interval.

    Args:
        targets: array of shape (n, n_labels) with values 0, 1 and NaN (unknown).
        probabilities: float array of the same shape, values in [0, 1].
        labels: label names in the order of the columns.
        groups: group id (for example the patient) of each case, shape (n,), to resample whole groups; None to resample
            cases.
        seed: random seed of the bootstrap.
        confidence: confidence level of all intervals, in (0, 1).
        replicates: number of bootstrap samples.

    Returns:
        A `Metric` for every name in `MULTILABEL_METRICS`. A metric is None if it is undefined for any label.

    Raises:
        ValueError: if shapes do not match, a target is not 0, 1 or NaN, or a probability is NaN or outside [0, 1].
    """
    targets, probabilities = _checked(targets, probabilities, labels)
    n = len(targets)
    if n == 0:
        return {name: Metric(None, None, None, 0, "undefined: no case") for name in MULTILABEL_METRICS}
    statistics = [_LabelStatistic(column, scores) for column, scores in zip(targets.T, probabilities.T, strict=True)]
    one_sided = [label for label, part in zip(labels, statistics, strict=True) if len(np.unique(part.positive)) < 2]
    reason = f"undefined: no positive or no negative case of {', '.join(one_sided)}" if one_sided else "undefined"

    def statistic(weights: np.ndarray) -> np.ndarray:
        return np.mean([part(weights) for part in statistics], axis=0)

    return bootstrap_metrics(
        statistic, MULTILABEL_METRICS, group_codes(n, groups), reason, seed, confidence, replicates
    )


def label_metrics(
    targets: ArrayLike,
    probabilities: ArrayLike,
    labels: Sequence[str],
    groups: ArrayLike | None = None,
    seed: int = 0,
    confidence: float = 0.95,
    replicates: int = 1000,
) -> dict[str, dict[str, Metric]]:
    """Compute the metrics of each label separately, over the cases whose label is known.

    Args:
        targets: array of shape (n, n_labels) with values 0, 1 and NaN (unknown).
        probabilities: float array of the same shape, values in [0, 1].
        labels: label names in the order of the columns.
        groups: group id (for example the patient) of each case, shape (n,), or None if all cases are independent.
        seed: random seed of the bootstrap.
        confidence: confidence level of all intervals, in (0, 1).
        replicates: number of bootstrap samples.

    Returns:
        For every label, the result of `classification_metrics` with the label as the positive class.

    Raises:
        ValueError: if shapes do not match, a target is not 0, 1 or NaN, or a probability is NaN or outside [0, 1].
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


class _LabelStatistic:
    """The metrics of one label as a function of the weights of all cases, one column per name."""

    def __init__(self, targets: np.ndarray, scores: np.ndarray) -> None:
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
        values = {
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
        return np.stack([values[name] for name in MULTILABEL_METRICS], axis=1)


def _checked(targets: ArrayLike, probabilities: ArrayLike, labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    targets, probabilities = np.asarray(targets, dtype=np.float64), np.asarray(probabilities, dtype=np.float64)
    if targets.ndim != 2 or targets.shape[1] != len(labels) or probabilities.shape != targets.shape:
        raise ValueError(
            f"`targets` and `probabilities` must have shape (n, {len(labels)}). "
            f"Received: {targets.shape} and {probabilities.shape}"
        )
    if not (np.isnan(targets) | np.isin(targets, (0, 1))).all():
        raise ValueError(f"`targets` must be 0, 1 or NaN. Received: values {np.unique(targets)[:5].tolist()}")
    inside = (probabilities >= 0) & (probabilities <= 1)
    if not inside.all():
        raise ValueError(
            f"`probabilities` must be in [0, 1]. Received: {int((~inside).sum())} values that are NaN or out of range"
        )
    return targets, probabilities
