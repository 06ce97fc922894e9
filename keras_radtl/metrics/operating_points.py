"""Operating points (a threshold with its sensitivity and specificity), ROC curve and decision curve.

A case is predicted positive if its score is at or above the threshold. Choose a threshold on validation cases and
evaluate it on test cases with `operating_point`; estimates from the cases that a threshold was chosen on are biased
upwards.

Reference: Youden, Cancer 3 (1950) 32-35; Vickers and Elkin, Medical Decision Making 26 (2006) 565-574.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from keras_radtl.metrics.estimates import Cases, Metric, bootstrap_metric, rate
from keras_radtl.metrics.weighted import Ranking
from keras_radtl.stats.delong import check_scores, check_targets
from keras_radtl.stats.intervals import group_codes

_SLACK = 1e-9  # tolerance for rounding when a rate is compared with its lower limit


# Maps sensitivities and specificities to (allowed, value to maximize, tie-break), each of their shape.
Objective = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


class OperatingPoint(NamedTuple):
    """A threshold with its rates and counts; at a threshold above the highest score no case is predicted positive."""

    threshold: float
    sensitivity: Metric
    specificity: Metric
    tp: int
    fp: int
    tn: int
    fn: int


class RocCurve(NamedTuple):
    """Vertices of a ROC curve in the order of decreasing thresholds, starting at inf (no case predicted positive)."""

    false_positive_rate: np.ndarray
    sensitivity: np.ndarray
    thresholds: np.ndarray


class DecisionCurve(NamedTuple):
    """Net benefit per case, by threshold probability, of the model and of treating all cases; treating none has 0."""

    thresholds: np.ndarray
    net_benefit: np.ndarray
    treat_all: np.ndarray


def roc_curve(targets: ArrayLike, scores: ArrayLike) -> RocCurve:
    """Compute the vertices of the ROC curve.

    Args:
        targets: 0/1 array of shape (n,) with both values present.
        scores: float array of shape (n,), higher means more positive.

    Returns:
        A `RocCurve`.

    Raises:
        ValueError: if a class is absent, lengths differ or a score is not finite.
    """
    from sklearn.metrics import roc_curve as sklearn_roc_curve

    return RocCurve(*sklearn_roc_curve(*_both_classes(targets, scores), drop_intermediate=True))


def operating_point(
    targets: ArrayLike,
    scores: ArrayLike,
    threshold: float,
    confidence: float = 0.95,
    groups: ArrayLike | None = None,
) -> OperatingPoint:
    """Evaluate a prespecified threshold, with Wilson's intervals, clustered if a group has several cases.

    Args:
        targets: 0/1 array of shape (n,).
        scores: float array of shape (n,), higher means more positive.
        threshold: cases with at least this score are predicted positive.
        confidence: confidence level in (0, 1).
        groups: group id (for example the patient) of each case, shape (n,); None if all cases are independent.

    Returns:
        An `OperatingPoint`. The sensitivity is None without positives, the specificity without negatives.

    Raises:
        ValueError: if a target is not 0 or 1, lengths differ or a score is NaN.
    """
    targets = check_targets(targets)
    predicted = check_scores(scores, len(targets)) >= threshold
    cases = Cases(group_codes(len(targets), groups), confidence)
    sensitivity = rate(predicted, targets, cases, "undefined: no positive case")
    specificity = rate(~predicted, ~targets, cases, "undefined: no negative case")
    tp, fp = int(np.sum(predicted & targets)), int(np.sum(predicted & ~targets))
    return OperatingPoint(
        float(threshold), sensitivity, specificity, tp, fp, int(np.sum(~targets)) - fp, int(np.sum(targets)) - tp
    )


def sensitivity_at_specificity(
    targets: ArrayLike,
    scores: ArrayLike,
    specificity: float,
    groups: ArrayLike | None = None,
    confidence: float = 0.95,
    replicates: int = 2000,
    seed: int = 0,
) -> OperatingPoint:
    """Find the threshold with the highest sensitivity among those with at least the given specificity.

    The confidence interval of the sensitivity is a bootstrap interval that chooses a new threshold in each sample, so
    it includes the uncertainty of the choice. That of the specificity is Wilson's at the chosen threshold.

    Args:
        targets: 0/1 array of shape (n,) with both values present.
        scores: float array of shape (n,), higher means more positive.
        specificity: lower limit in [0, 1].
        groups: group id (for example the patient) of each case, shape (n,); None if all cases are independent.
        confidence: confidence level in (0, 1).
        replicates: number of bootstrap samples.
        seed: random seed of the bootstrap.

    Returns:
        An `OperatingPoint`.

    Raises:
        ValueError: if a class is absent, lengths differ, a score is not finite or `specificity` is not in [0, 1].
    """
    return _best_rate("sensitivity", "specificity", specificity, targets, scores, groups, confidence, replicates, seed)


def specificity_at_sensitivity(
    targets: ArrayLike,
    scores: ArrayLike,
    sensitivity: float,
    groups: ArrayLike | None = None,
    confidence: float = 0.95,
    replicates: int = 2000,
    seed: int = 0,
) -> OperatingPoint:
    """Find the threshold with the highest specificity among those with at least the given sensitivity.

    The confidence interval of the specificity is a bootstrap interval that chooses a new threshold in each sample, so
    it includes the uncertainty of the choice. That of the sensitivity is Wilson's at the chosen threshold.

    Args:
        targets: 0/1 array of shape (n,) with both values present.
        scores: float array of shape (n,), higher means more positive.
        sensitivity: lower limit in [0, 1].
        groups: group id (for example the patient) of each case, shape (n,); None if all cases are independent.
        confidence: confidence level in (0, 1).
        replicates: number of bootstrap samples.
        seed: random seed of the bootstrap.

    Returns:
        An `OperatingPoint`.

    Raises:
        ValueError: if a class is absent, lengths differ, a score is not finite or `sensitivity` is not in [0, 1].
    """
    return _best_rate("specificity", "sensitivity", sensitivity, targets, scores, groups, confidence, replicates, seed)


def youden_point(
    targets: ArrayLike, scores: ArrayLike, confidence: float = 0.95, groups: ArrayLike | None = None
) -> OperatingPoint:
    """Find the threshold that maximizes Youden's index, sensitivity + specificity - 1.

    If several thresholds have the same index, the one with the highest sensitivity is chosen. The confidence intervals
    are Wilson's at the chosen threshold and do not include the uncertainty of the choice.

    Args:
        targets: 0/1 array of shape (n,) with both values present.
        scores: float array of shape (n,), higher means more positive.
        confidence: confidence level in (0, 1).
        groups: group id (for example the patient) of each case, shape (n,); None if all cases are independent.

    Returns:
        An `OperatingPoint`.

    Raises:
        ValueError: if a class is absent, lengths differ or a score is not finite.
    """
    targets, scores = _both_classes(targets, scores)
    return _best(targets, scores, lambda se, sp: (np.ones(se.shape, bool), se + sp, se), confidence, groups)


def decision_curve(targets: ArrayLike, probabilities: ArrayLike, thresholds: ArrayLike | None = None) -> DecisionCurve:
    """Compute the net benefit of treating the cases that the model predicts positive, for each threshold probability.

    The net benefit at the threshold probability t is TP / n - FP / n * t / (1 - t): a false positive costs t / (1 - t)
    times the benefit of a true positive, the ratio at which treating a case with probability t breaks even.

    Args:
        targets: 0/1 array of shape (n,), n >= 1.
        probabilities: calibrated probabilities, float array of shape (n,) in [0, 1].
        thresholds: threshold probabilities in (0, 1); None for 0.01, 0.02, ..., 0.99.

    Returns:
        A `DecisionCurve`.

    Raises:
        ValueError: if there are no cases, a threshold or probability is out of range, or lengths differ.
    """
    targets = check_targets(targets)
    probabilities = check_scores(probabilities, len(targets))
    chosen = np.arange(1, 100) / 100 if thresholds is None else np.asarray(thresholds, dtype=np.float64)
    if not len(targets) or probabilities.min() < 0 or probabilities.max() > 1:
        raise ValueError(
            f"`probabilities` must be in [0, 1] with at least one case. Received: shape {probabilities.shape}"
        )
    if not ((chosen > 0) & (chosen < 1)).all():
        raise ValueError(f"`thresholds` must be in (0, 1). Received: {chosen.min()} to {chosen.max()}")
    cost = chosen / (1 - chosen)
    positives, negatives = np.sort(probabilities[targets]), np.sort(probabilities[~targets])
    tp = len(positives) - np.searchsorted(positives, chosen, side="left")
    fp = len(negatives) - np.searchsorted(negatives, chosen, side="left")
    prevalence = len(positives) / len(targets)
    return DecisionCurve(chosen, (tp - fp * cost) / len(targets), prevalence - (1 - prevalence) * cost)


def _both_classes(targets: ArrayLike, scores: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    targets = check_targets(targets)
    if targets.all() or not targets.any():
        raise ValueError(
            f"`targets` must contain both 0 and 1. Received: {int(targets.sum())} positives of {len(targets)}"
        )
    scores = check_scores(scores, len(targets))
    if not np.isfinite(scores).all():
        raise ValueError("`scores` must be finite. Received: an infinite score")
    return targets, scores


def _best(
    targets: np.ndarray, scores: np.ndarray, objective: Objective, confidence: float, groups: ArrayLike | None
) -> OperatingPoint:
    """Return the operating point that maximizes the objective."""
    ranking = Ranking(targets, scores)
    sensitivity, specificity = ranking.rates(np.ones((1, len(targets))))
    allowed, value, tie_break = objective(sensitivity[0], specificity[0])
    index = np.lexsort((tie_break, np.where(allowed, np.round(value, 12), -np.inf)))[-1]
    levels = np.append(np.nextafter(scores.max(), np.inf), scores[ranking.order][ranking.ends])
    return operating_point(targets, scores, levels[index], confidence, groups)


def _best_rate(
    wanted: str, limited: str, limit: float, targets: ArrayLike, scores: ArrayLike, groups: ArrayLike | None,
    confidence: float, replicates: int, seed: int,
) -> OperatingPoint:  # fmt: skip
    """Return the point with the highest `wanted` rate among those whose `limited` rate reaches `limit`.

    `wanted` and `limited` are the two rates of an `OperatingPoint`.
    """
    targets, scores = _both_classes(targets, scores)
    if not 0 <= limit <= 1:
        raise ValueError(f"`{limited}` must be in [0, 1]. Received: {limited}={limit!r}")

    def objective(sensitivity: np.ndarray, specificity: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rates = {"sensitivity": sensitivity, "specificity": specificity}
        return rates[limited] >= limit - _SLACK, rates[wanted], rates[limited]

    def highest(weights: np.ndarray) -> np.ndarray:
        """Choose a new threshold for each row of weights; NaN if no threshold is allowed."""
        allowed, rate, _ = objective(*ranking.rates(weights))
        best = np.where(allowed, rate, -1.0).max(axis=1)
        return np.where(best < 0, np.nan, best)

    ranking = Ranking(targets, scores)
    point = _best(targets, scores, objective, confidence, groups)
    found = bootstrap_metric(highest, Cases(group_codes(len(targets), groups), confidence, seed, replicates))
    method = f"{found.method}, threshold chosen in each sample"
    metric = getattr(point, wanted)._replace(ci_low=found.ci_low, ci_high=found.ci_high, method=method)
    return point._replace(**{wanted: metric})
