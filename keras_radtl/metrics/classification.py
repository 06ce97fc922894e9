"""Figures of merit for a classifier of two or more exclusive classes, each with an interval and the number of cases.

With two classes the second is the positive one, and AUC, F1, sensitivity, specificity and average precision are about
it. With more, those are means over classes of one class against the rest (macro). A figure that does not exist, because
a class is absent for instance, is None and `method` says why; so is an interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from keras_radtl.metrics.weighted import Confusion, Ranking, weighted_mean
from keras_radtl.stats.delong import check_scores, check_targets, delong_interval, doubled_placements
from keras_radtl.stats.intervals import (
    Statistic,
    bootstrap_name,
    bootstrap_samples,
    group_codes,
    percentile_interval,
    wilson_interval,
)

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


class Metric(NamedTuple):
    """A figure with its interval, the number of cases it is taken over and how the interval was made."""

    value: float | None
    ci_low: float | None
    ci_high: float | None
    n: int
    method: str


def exact_auc(targets, scores) -> float:
    """Return the area under the ROC curve from ranks, ties counting half; no thresholds are chosen.

    Args:
        targets: 0/1 array of shape (n,).
        scores: float array of shape (n,), higher means more positive.

    Returns:
        The AUC, or NaN when a class is absent or a score is NaN (a diverged model ranks nothing).
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


def macro_auc(targets, probabilities) -> float:
    """Return the mean over classes of the AUC of each class against the rest; two classes give the AUC of the second.

    Args:
        targets: int array of class indices, shape (n,).
        probabilities: float array of shape (n, n_classes).

    Returns:
        The mean AUC, or NaN when a class is absent or a probability is NaN.
    """
    targets, probabilities = np.asarray(targets), np.asarray(probabilities)
    classes = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    return float(np.mean([exact_auc(targets == index, probabilities[:, index]) for index in classes]))


def classification_metrics(
    targets,
    probabilities,
    classes: Sequence[str],
    groups=None,
    seed: int = 0,
    confidence: float = 0.95,
    replicates: int = 2000,
    auc_scale: str = "plain",
) -> dict[str, Metric]:
    """Judge predicted probabilities by nine figures, each with an interval.

    | figure | two classes | more classes |
    |---|---|---|
    | auc | DeLong (`auc_scale="logit"` for the interval on log odds) | mean one-vs-rest, bootstrap |
    | accuracy | Wilson | Wilson |
    | sensitivity, specificity | Wilson over positives, over negatives | mean one-vs-rest, bootstrap |
    | balanced_accuracy | mean of sensitivity and specificity, bootstrap | mean sensitivity, bootstrap |
    | f1, average_precision | of the second class, bootstrap | mean one-vs-rest, bootstrap |
    | brier | mean (p - y)^2, bootstrap | mean over cases of the sum over classes, bootstrap |
    | log_loss | natural logarithm, probabilities cut at 2.2e-16, bootstrap | the same |

    DeLong and Wilson take cases as independent. Where groups hold several cases the bootstrap draws whole groups, and
    with two classes `auc_clustered` adds the AUC's interval under dependence within groups (Obuchowski 1997).

    Args:
        targets: int array of class indices, shape (n,).
        probabilities: float array of shape (n, n_classes), rows summing to 1.
        classes: names in target order; two: (negative, positive).
        groups: None, or n ids of patients, exams, ...
        seed: of the bootstrap.
        confidence: level of all intervals, in (0, 1).
        replicates: bootstrap samples.
        auc_scale: "plain" or "logit".

    Returns:
        A `Metric` for every name in `METRICS`.

    Raises:
        ValueError: when shapes disagree, a target is no class index or a probability is NaN or outside [0, 1].
    """
    targets, probabilities = _checked(targets, probabilities, classes)
    n, binary = len(targets), len(classes) == 2
    if n == 0:
        return {name: Metric(None, None, None, 0, "undefined: no case") for name in METRICS}
    codes = group_codes(n, groups)
    grouped = int(codes.max()) + 1 < n
    statistic = _Statistic(targets, probabilities)
    reason = _absence(targets, classes)
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


def bootstrap_metrics(
    statistic: Statistic, names: Sequence[str], codes, reason: str, seed: int, confidence: float, replicates: int
) -> dict[str, Metric]:
    """Estimate several figures at once, each with its bootstrap interval.

    Args:
        statistic: takes weights of shape (rows, n), returns figures of shape (rows, len(names)), NaN where undefined.
        names: of the figures.
        codes: group of each case, 0..G-1, int array of shape (n,).
        reason: the `method` of a figure that is undefined.
        seed: of the draws.
        confidence: in (0, 1).
        replicates: number of bootstrap samples.
    """
    n = len(codes)
    words = bootstrap_name(int(codes.max()) + 1 < n, replicates)
    values = statistic(np.ones((1, n)))[0]
    samples = bootstrap_samples(statistic, codes, replicates, seed)
    found = {}
    for name, value, column in zip(names, values, samples.T, strict=True):
        if np.isnan(value):
            found[name] = Metric(None, None, None, n, reason)
        else:
            interval = percentile_interval(column, confidence, words)
            found[name] = Metric(float(value), interval.ci_low, interval.ci_high, n, interval.method)
    return found


def proportion(hits: np.ndarray, confidence: float, if_empty: str = "undefined: no case") -> Metric:
    """Return the share of True among independent cases with Wilson's interval."""
    if len(hits) == 0:
        return Metric(None, None, None, 0, if_empty)
    interval = wilson_interval(int(hits.sum()), len(hits), confidence)
    return Metric(float(hits.mean()), interval.ci_low, interval.ci_high, len(hits), interval.method)


def cohen_kappa(targets, predicted, num_classes: int) -> float | None:
    """Return Cohen's kappa, agreement beyond chance; None when chance alone would give full agreement.

    Args:
        targets: int array of class indices, shape (n,).
        predicted: int array of class indices, shape (n,).
        num_classes: number of classes.

    Reference: Cohen, Educational and Psychological Measurement 20 (1960) 37-46.
    """
    table = np.bincount(np.asarray(targets) * num_classes + np.asarray(predicted), minlength=num_classes**2)
    table = table.reshape(num_classes, num_classes)
    n = table.sum()
    chance = table.sum(axis=0) @ table.sum(axis=1)
    return float((n * np.trace(table) - chance) / (n * n - chance)) if n * n > chance else None


class _Statistic:
    """The figures of classification under blocks of weights, one column per name."""

    def __init__(self, targets: np.ndarray, probabilities: np.ndarray):
        n, num_classes = probabilities.shape
        self.binary = num_classes == 2
        self.targets, self.num_classes = targets, num_classes
        self.predicted = probabilities.argmax(axis=1)
        judged = [1] if self.binary else range(num_classes)
        self.rankings = [Ranking(targets == index, probabilities[:, index]) for index in judged]
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
        judged = tables[1:] if self.binary else tables
        recall = np.mean([table.sensitivity() for table in tables], axis=0)
        columns = [
            np.mean([table.f1() for table in judged], axis=0),
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


def _absence(targets: np.ndarray, classes: Sequence[str]) -> str:
    absent = [name for index, name in enumerate(classes) if not (targets == index).any()]
    return f"undefined: no case of class {', '.join(absent)}" if absent else "undefined"


def _auc(targets, scores, confidence: float, scale: str, codes) -> Metric:
    found = delong_interval(targets, scores, confidence, scale, codes)
    return Metric(found.auc, found.ci_low, found.ci_high, len(targets), found.method)


def _checked(targets, probabilities, classes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    targets, probabilities = np.asarray(targets), np.asarray(probabilities, dtype=np.float64)
    if len(classes) < 2:
        raise ValueError(f"`classes` must name at least two classes. Received: classes={list(classes)}")
    if targets.ndim != 1 or probabilities.shape != (len(targets), len(classes)):
        raise ValueError(
            f"`probabilities` must have the shape (n, {len(classes)}) for targets of shape (n,). "
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
            "`probabilities` must lie in [0, 1] and each row must sum to 1. "
            f"Received: {int((~inside).sum())} values outside or NaN"
        )
    return whole, probabilities
