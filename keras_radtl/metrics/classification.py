"""Metrics of a classifier of two or more mutually exclusive classes, each with a confidence interval.

With two classes, the second class is the positive one: AUC, F1, sensitivity, specificity and average precision refer to
it. With more classes they are one-vs-rest means over all classes (macro averages). An undefined metric, for example if
a class is absent, and a missing interval are None, and `method` gives the reason.

| metric | two classes | more classes |
|---|---|---|
| auc | DeLong, on the logit or the plain scale | mean one-vs-rest, jackknife on the logit scale |
| accuracy | Wilson | Wilson |
| sensitivity, specificity | Wilson, over positives or negatives | mean one-vs-rest, MOVER of Wilson intervals |
| balanced_accuracy | mean of sensitivity and specificity, MOVER | mean sensitivity, MOVER |
| f1 | Wilson of the Jaccard index | mean one-vs-rest, MOVER |
| average_precision | jackknife on the logit scale | mean one-vs-rest, jackknife on the logit scale |
| brier | mean (p - y)^2, studentized bootstrap | mean over cases of the sum over classes, the same |
| log_loss | natural logarithm, probabilities clipped at 2.2e-16, studentized bootstrap | the same |

If a group (patient) has several cases, all intervals are clustered, and `method` says so: the variances of AUC and
proportions are those between groups, and the jackknife and the bootstrap leave out and draw whole groups.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from keras_radtl.metrics.estimates import Cases, Metric, jackknife_metrics, mean_f1, mean_loss, mean_rate, rate
from keras_radtl.metrics.weighted import Ranking
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
    auc_scale: str = "logit",
    threshold: ArrayLike | None = None,
) -> dict[str, Metric]:
    """Compute nine metrics of predicted probabilities, each with a confidence interval.

    Args:
        targets: int array of class indices, shape (n,).
        probabilities: float array of shape (n, n_classes), rows summing to 1.
        classes: class names in the order of the indices; with two classes (negative, positive).
        groups: group id (for example the patient) of each case, shape (n,), or None if all cases are independent. If a
            group has several cases, all intervals are clustered.
        seed: random seed of the bootstrap.
        confidence: confidence level of all intervals, in (0, 1).
        replicates: number of bootstrap samples.
        auc_scale: scale of the interval of the AUC of two classes, "logit" or "plain".
        threshold: probability from which a case is predicted positive, a number or an array of shape (n,); None for the
            class of highest probability, the only choice with more than two classes.

    Returns:
        A `Metric` for every name in `METRICS`.

    Raises:
        ValueError: if shapes do not match, a target is not a class index, a probability is NaN or outside [0, 1], or a
            group id is empty.
    """
    targets, probabilities = _checked(targets, probabilities, classes)
    if len(targets) == 0:
        return {name: Metric(None, None, None, 0, "undefined: no case") for name in METRICS}
    if threshold is not None and len(classes) > 2:
        raise ValueError(f"`threshold` must be None with {len(classes)} classes. Received: threshold={threshold!r}")
    cases = Cases(group_codes(len(targets), groups), confidence, seed, replicates)
    reason = _undefined_reason(targets, classes)
    if len(classes) == 2:
        highest = probabilities.argmax(axis=1) == 1
        called = highest if threshold is None else probabilities[:, 1] >= np.asarray(threshold)
        found = _binary(targets == 1, probabilities[:, 1], called, cases, reason, auc_scale)
    else:
        found = _multi_class(targets, probabilities, cases, reason)
    found |= _losses(targets, probabilities, cases)
    return {name: found[name] for name in METRICS}


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


def _binary(
    positive: np.ndarray, scores: np.ndarray, called: np.ndarray, cases: Cases, reason: str, auc_scale: str
) -> dict[str, Metric]:
    """Return the metrics of two classes, without the losses; `called` are the cases that are predicted positive."""
    n = len(positive)
    area = delong_interval(positive, scores, cases.confidence, auc_scale, cases.codes if cases.clustered else None)
    sides = [(called, positive), (~called, ~positive)]
    found = {
        "auc": Metric(area.auc, area.ci_low, area.ci_high, n, area.method),
        "accuracy": rate(called == positive, np.ones(n, bool), cases),
        "f1": mean_f1([(positive, called)], n, cases, reason),
        "sensitivity": rate(*sides[0], cases, reason),
        "specificity": rate(*sides[1], cases, reason),
        "balanced_accuracy": mean_rate(sides, n, cases, reason),
    }
    ranking, scales = Ranking(positive, scores), {"average_precision": "logit"}
    found |= jackknife_metrics(lambda w: ranking.average_precision(w)[:, None], scales, cases, reason)
    if found["average_precision"].value == 1 and not positive.all():
        found["average_precision"] = _perfect_precision(positive, cases)
    return found


def _perfect_precision(positive: np.ndarray, cases: Cases) -> Metric:
    """Return an average precision of 1 with the interval of a proportion of 1 over the positive cases."""
    found = rate(positive, positive, cases)
    return found._replace(n=len(positive), method=f"{found.method}, over positives (average precision is 1)")


def _multi_class(targets: np.ndarray, probabilities: np.ndarray, cases: Cases, reason: str) -> dict[str, Metric]:
    """Return the one-vs-rest means of more than two classes, without the losses."""
    n, predicted = len(targets), probabilities.argmax(axis=1)
    called = [(targets == index, predicted == index) for index in range(probabilities.shape[1])]
    rankings = [Ranking(positive, scores) for (positive, _), scores in zip(called, probabilities.T, strict=True)]
    recall = mean_rate([(hits, positive) for positive, hits in called], n, cases, reason)

    def ranked(weights: np.ndarray) -> np.ndarray:
        columns = [[ranking.auc(weights), ranking.average_precision(weights)] for ranking in rankings]
        return np.mean(columns, axis=0).T

    return {
        "accuracy": rate(predicted == targets, np.ones(n, bool), cases),
        "f1": mean_f1(called, n, cases, reason),
        "sensitivity": recall,
        "specificity": mean_rate([(~hits, ~positive) for positive, hits in called], n, cases, reason),
        "balanced_accuracy": recall,
        **jackknife_metrics(ranked, {"auc": "logit", "average_precision": "logit"}, cases, reason),
    }


def _losses(targets: np.ndarray, probabilities: np.ndarray, cases: Cases) -> dict[str, Metric]:
    n, num_classes = probabilities.shape
    squares = (probabilities - (targets[:, None] == np.arange(num_classes))) ** 2
    tiny = np.finfo(np.float64).eps
    log_loss = -np.log(np.clip(probabilities[np.arange(n), targets], tiny, 1 - tiny))
    return {
        "brier": mean_loss(squares[:, 1], cases, highest=1.0)
        if num_classes == 2
        else mean_loss(squares.sum(axis=1), cases, highest=2.0),
        "log_loss": mean_loss(log_loss, cases, highest=-np.log(tiny)),
    }


def _undefined_reason(targets: np.ndarray, classes: Sequence[str]) -> str:
    absent = [name for index, name in enumerate(classes) if not (targets == index).any()]
    return f"undefined: no case of class {', '.join(absent)}" if absent else "undefined"


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
