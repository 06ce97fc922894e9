"""Metrics of multi-label classification, where a case may have several labels and some of them may be unknown.

Every metric is the mean over labels. For each label it is computed over the cases whose label is known. The mean of
`average_precision` is known as mAP, that of `accuracy` as macro accuracy. A label is predicted if its probability is
above 0.5.

Means of proportions and of F1 scores have MOVER intervals from Wilson's; AUC, average precision and kappa have
jackknife intervals on a transformed scale, and losses a studentized bootstrap. If a group (patient) has several cases,
all intervals are clustered.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from keras_radtl.metrics.classification import METRICS, classification_metrics, exact_auc
from keras_radtl.metrics.estimates import Cases, Metric, jackknife_metrics, mean_f1, mean_loss, mean_rate
from keras_radtl.metrics.weighted import Confusion, Ranking
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
    replicates: int = 2000,
) -> dict[str, Metric]:
    """Compute the mean over labels of ten metrics, each with a confidence interval.

    Args:
        targets: array of shape (n, n_labels) with values 0, 1 and NaN (unknown).
        probabilities: float array of the same shape, values in [0, 1].
        labels: label names in the order of the columns.
        groups: group id (for example the patient) of each case, shape (n,), or None if all cases are independent.
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
    known = ~np.isnan(targets)
    one_sided = [
        label for label, column in zip(labels, targets.T, strict=True) if len(np.unique(column[~np.isnan(column)])) < 2
    ]
    reason = f"undefined: no positive or no negative case of {', '.join(one_sided)}" if one_sided else "undefined"
    cases = Cases(group_codes(n, groups), confidence, seed, replicates)
    positive, called = targets == 1, probabilities > 0.5
    correct, negative = (called == positive) & known, known & ~positive
    hits = [*zip(called.T, positive.T, strict=True), *zip(~called.T, negative.T, strict=True)]
    labelled = len(labels)
    losses = np.where(known, (probabilities - positive) ** 2, np.nan)
    tiny = np.finfo(np.float64).eps
    log_losses = np.where(
        known, -np.log(np.clip(np.where(positive, probabilities, 1 - probabilities), tiny, 1)), np.nan
    )
    found = {
        "accuracy": mean_rate(list(zip(correct.T, known.T, strict=True)), n, cases, reason),
        "f1": mean_f1(list(zip(positive.T, (called & known).T, strict=True)), n, cases, reason),
        "sensitivity": mean_rate(hits[:labelled], n, cases, reason),
        "specificity": mean_rate(hits[labelled:], n, cases, reason),
        "balanced_accuracy": mean_rate(hits, n, cases, reason),
        "brier": mean_loss(losses, cases, reason, 1.0),
        "log_loss": mean_loss(log_losses, cases, reason, -np.log(tiny)),
        **_ranked(targets, probabilities, cases, reason),
    }
    return {name: found[name] for name in MULTILABEL_METRICS}


def label_metrics(
    targets: ArrayLike,
    probabilities: ArrayLike,
    labels: Sequence[str],
    groups: ArrayLike | None = None,
    seed: int = 0,
    confidence: float = 0.95,
    replicates: int = 2000,
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


def _ranked(targets: np.ndarray, probabilities: np.ndarray, cases: Cases, reason: str) -> dict[str, Metric]:
    """Return the mean AUC, average precision and kappa over labels."""
    rows = [np.flatnonzero(~np.isnan(column)) for column in targets.T]
    positive = [column[chosen] == 1 for column, chosen in zip(targets.T, rows, strict=True)]
    scores = [column[chosen] for column, chosen in zip(probabilities.T, rows, strict=True)]
    rankings = [Ranking(*pair) for pair in zip(positive, scores, strict=True)]

    def statistic(weights: np.ndarray) -> np.ndarray:
        columns = []
        for chosen, known, values, ranking in zip(rows, positive, scores, rankings, strict=True):
            part = weights[:, chosen]
            kappa = Confusion(part, known, values > 0.5).kappa()
            columns.append([ranking.auc(part), ranking.average_precision(part), kappa])
        return np.mean(columns, axis=0).T

    return jackknife_metrics(
        statistic, {"auc": "logit", "average_precision": "logit", "kappa": "fisher"}, cases, reason
    )


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
