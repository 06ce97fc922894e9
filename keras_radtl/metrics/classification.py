"""Metrics of a classifier of two or more mutually exclusive classes, each with a confidence interval.

With two classes, the second class is the positive one: AUC, F1, sensitivity, specificity and average precision refer to
it. With more classes they are one-vs-rest means over all classes (macro averages). An undefined metric, for example if
a class is absent, and a missing interval are None, and `method` gives the reason.

| metric | two classes | more classes |
|---|---|---|
| auc | DeLong, on the plain or the logit scale | mean one-vs-rest, bootstrap |
| accuracy | Wilson | Wilson |
| sensitivity, specificity | Wilson, over positives or negatives | mean one-vs-rest, bootstrap |
| balanced_accuracy | mean of sensitivity and specificity, bootstrap | mean sensitivity, bootstrap |
| f1, average_precision | of the second class, bootstrap | mean one-vs-rest, bootstrap |
| brier | mean (p - y)^2, bootstrap | mean over cases of the sum over classes, bootstrap |
| log_loss | natural logarithm, probabilities clipped at 2.2e-16, bootstrap | the same |
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from keras_radtl.metrics.estimates import Metric, bootstrap_metrics, proportion
from keras_radtl.metrics.weighted import Confusion, Ranking, weighted_mean
from keras_radtl.stats.delong import check_scores, check_targets, delong_interval, doubled_placements
from keras_radtl.stats.intervals import group_codes

METRICS = (
    "auc",
    "accuracy",
    "f1",
    "sensitivity",
    "specificity",
    "balanced_accuracy",
    "average_precision",
    "brier",
    "log_loss",
)


def exact_auc(targets: ArrayLike, scores: ArrayLike) -> float:
    """Compute the exact area under the ROC curve from ranks, with ties counted as one half.

    Args:
        targets: 0/1 array of shape (n,).
        scores: float array of shape (n,), higher means more positive.

    Returns:
        The AUC, or NaN if a class is absent or a score is NaN (as in a diverged model).

    Raises:
        ValueError: if a target is not 0 or 1, or lengths differ.
    """
    targets = check_targets(targets)
    scores = np.asarray(scores, dtype=np.float64)
    if scores.shape == targets.shape and np.isnan(scores).any():
        return float("nan")
    scores = check_scores(scores, len(targets))
    positives = int(targets.sum())
    negatives = len(targets) - positives
    if not positives or not negatives:
        return float("nan")
    return int(doubled_placements(targets, scores)[0].sum()) / (2 * positives * negatives)


def macro_auc(targets: ArrayLike, probabilities: ArrayLike) -> float:
    """Compute the mean one-vs-rest AUC over all classes; with two classes, the AUC of the second class.

    Args:
        targets: int array of class indices, shape (n,).
        probabilities: float array of shape (n, n_classes).

    Returns:
        The mean AUC, or NaN if a class is absent or a probability is NaN.
    """
    targets, probabilities = np.asarray(targets), np.asarray(probabilities)
    classes = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    return float(np.mean([exact_auc(targets == index, probabilities[:, index]) for index in classes]))


def classification_metrics(
    targets: ArrayLike,
    probabilities: ArrayLike,
    classes: Sequence[str],
    groups: ArrayLike | None = None,
    seed: int = 0,
    confidence: float = 0.95,
    replicates: int = 2000,
    auc_scale: str = "plain",
) -> dict[str, Metric]:
    """Compute nine metrics of predicted probabilities, each with a confidence interval.

    DeLong's and Wilson's intervals assume independent cases. If a group has several cases, the bootstrap resamples
    whole groups, and with two classes `auc_clustered` is added: the AUC with an interval from the clustered variance
    (Obuchowski 1997).

    Args:
        targets: int array of class indices, shape (n,).
        probabilities: float array of shape (n, n_classes), rows summing to 1.
        classes: class names in the order of the indices; with two classes (negative, positive).
        groups: group id (for example the patient) of each case, shape (n,), or None if all cases are independent.
        seed: random seed of the bootstrap.
        confidence: confidence level of all intervals, in (0, 1).
        replicates: number of bootstrap samples.
        auc_scale: "plain" or "logit".

    Returns:
        A `Metric` for every name in `METRICS`, and for `auc_clustered` as described above.

    Raises:
        ValueError: if shapes do not match, a target is not a class index, or a probability is NaN or outside [0, 1].
    """
    targets, probabilities = _checked(targets, probabilities, classes)
    n, binary = len(targets), len(classes) == 2
    if n == 0:
        return {name: Metric(None, None, None, 0, "undefined: no case") for name in METRICS}
    codes = group_codes(n, groups)
    grouped = int(codes.max()) + 1 < n
    statistic = _Statistic(targets, probabilities)
    reason = _undefined_reason(targets, classes)
    found = bootstrap_metrics(statistic, statistic.names, codes, reason, seed, confidence, replicates)
    correct = statistic.predicted == targets
    found["accuracy"] = proportion(correct, confidence)
    if binary:
        found["auc"] = _auc(targets, probabilities[:, 1], confidence, auc_scale, None)
        found["sensitivity"] = proportion(correct[targets == 1], confidence, reason)
        found["specificity"] = proportion(correct[targets == 0], confidence, reason)
    ordered = {name: found[name] for name in METRICS}
    if binary and grouped:
        ordered["auc_clustered"] = _auc(targets, probabilities[:, 1], confidence, auc_scale, codes)
    return ordered


def cohen_kappa(targets: ArrayLike, predicted: ArrayLike, num_classes: int) -> float | None:
    """Compute Cohen's kappa, the agreement beyond chance.

    Args:
        targets: int array of class indices, shape (n,).
        predicted: int array of predicted class indices, shape (n,).
        num_classes: number of classes.

    Returns:
        Kappa, or None if the agreement expected by chance is 1.

    Reference: Cohen, Educational and Psychological Measurement 20 (1960) 37-46.
    """
    table = np.bincount(np.asarray(targets) * num_classes + np.asarray(predicted), minlength=num_classes**2)
    table = table.reshape(num_classes, num_classes)
    n = table.sum()
    chance = table.sum(axis=0) @ table.sum(axis=1)
    return float((n * np.trace(table) - chance) / (n * n - chance)) if n * n > chance else None


class _Statistic:
    """The bootstrapped metrics as a function of weights, one column per name."""

    names: tuple[str, ...]

    def __init__(self, targets: np.ndarray, probabilities: np.ndarray) -> None:
        n, num_classes = probabilities.shape
        self.binary = num_classes == 2
        self.targets, self.num_classes = targets, num_classes
        self.predicted = probabilities.argmax(axis=1)
        scored = [1] if self.binary else range(num_classes)
        self.rankings = [Ranking(targets == index, probabilities[:, index]) for index in scored]
        one_hot = targets[:, None] == np.arange(num_classes)
        squares = (probabilities - one_hot) ** 2
        self.brier = squares[:, 1] if self.binary else squares.sum(axis=1)
        tiny = np.finfo(np.float64).eps
        self.log_loss = -np.log(np.clip(probabilities[np.arange(n), targets], tiny, 1 - tiny))
        self.names = ("f1", "balanced_accuracy", "average_precision", "brier", "log_loss")
        if not self.binary:
            self.names += ("auc", "sensitivity", "specificity")

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        tables = [
            Confusion(weights, self.targets == index, self.predicted == index) for index in range(self.num_classes)
        ]
        scored = tables[1:] if self.binary else tables
        recall = np.mean([table.sensitivity() for table in tables], axis=0)
        columns = [
            np.mean([table.f1() for table in scored], axis=0),
            recall,
            np.mean([ranking.average_precision(weights) for ranking in self.rankings], axis=0),
            weighted_mean(weights, self.brier),
            weighted_mean(weights, self.log_loss),
        ]
        if not self.binary:
            columns += [
                np.mean([ranking.auc(weights) for ranking in self.rankings], axis=0),
                recall,
                np.mean([table.specificity() for table in tables], axis=0),
            ]
        return np.stack(columns, axis=1)


def _undefined_reason(targets: np.ndarray, classes: Sequence[str]) -> str:
    absent = [name for index, name in enumerate(classes) if not (targets == index).any()]
    return f"undefined: no case of class {', '.join(absent)}" if absent else "undefined"


def _auc(targets: np.ndarray, scores: np.ndarray, confidence: float, scale: str, codes: np.ndarray | None) -> Metric:
    found = delong_interval(targets, scores, confidence, scale, codes)
    return Metric(found.auc, found.ci_low, found.ci_high, len(targets), found.method)


def _checked(targets: ArrayLike, probabilities: ArrayLike, classes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    targets, probabilities = np.asarray(targets), np.asarray(probabilities, dtype=np.float64)
    if len(classes) < 2:
        raise ValueError(f"`classes` must name at least two classes. Received: classes={list(classes)}")
    if targets.ndim != 1 or probabilities.shape != (len(targets), len(classes)):
        raise ValueError(
            f"`probabilities` must have shape (n, {len(classes)}) and `targets` shape (n,). "
            f"Received: {probabilities.shape} and {targets.shape}"
        )
    whole = targets.astype(np.int64)
    if (whole != targets).any() or (whole < 0).any() or (whole >= len(classes)).any():
        raise ValueError(
            f"`targets` must be class indices from 0 to {len(classes) - 1}. "
            f"Received: values {np.unique(targets)[:10].tolist()}"
        )
    inside = (probabilities >= 0) & (probabilities <= 1)
    if not inside.all() or (np.abs(probabilities.sum(axis=1) - 1) > 1e-3).any():
        raise ValueError(
            "`probabilities` must be in [0, 1] and each row must sum to 1. "
            f"Received: {int((~inside).sum())} values that are NaN or out of range, "
            f"row sums from {probabilities.sum(axis=1).min():g} to {probabilities.sum(axis=1).max():g}"
        )
    return whole, probabilities
