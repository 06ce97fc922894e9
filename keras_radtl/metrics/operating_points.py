"""Thresholds and what they buy: sensitivity at a fixed specificity and back, Youden's point, the decision curve.

A case is called positive when its score is at or above the threshold. Choose a threshold on validation cases and judge
it on test cases with `at_threshold`; a point chosen on the cases it is judged on looks better than it is.

Reference: Youden, Cancer 3 (1950) 32-35; Vickers and Elkin, Medical Decision Making 26 (2006) 565-574.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from keras_radtl.metrics.classification import Metric, proportion
from keras_radtl.metrics.weighted import Ranking
from keras_radtl.stats.delong import check_scores, check_targets
from keras_radtl.stats.intervals import bootstrap_interval

_SLACK = 1e-9  # a rate that misses its limit by rounding alone has reached it


class OperatingPoint(NamedTuple):
    """A threshold with its rates and counts; a threshold just above the highest score calls no case positive."""

    threshold: float
    sensitivity: Metric
    specificity: Metric
    tp: int
    fp: int
    tn: int
    fn: int


class RocCurve(NamedTuple):
    """Corners of a ROC curve, from the strictest threshold (inf, no case positive) to the laxest."""

    false_positive_rate: np.ndarray
    sensitivity: np.ndarray
    thresholds: np.ndarray


class DecisionCurve(NamedTuple):
    """Net benefit per case at each threshold probability, of the model and of treating all; treating none is 0."""

    thresholds: np.ndarray
    net_benefit: np.ndarray
    treat_all: np.ndarray


def roc_curve(targets, scores) -> RocCurve:
    """Return the corners of the ROC curve.

    Args:
        targets: 0/1 array of shape (n,) with both values.
        scores: float array of shape (n,), higher means more positive.

    Raises:
        ValueError: when a class is absent, lengths differ or a score is not finite.
    """
    from sklearn.metrics import roc_curve as sklearn_roc_curve

    return RocCurve(*sklearn_roc_curve(*_both_classes(targets, scores), drop_intermediate=True))


def at_threshold(targets, scores, threshold: float, confidence: float = 0.95) -> OperatingPoint:
    """Judge a threshold that was fixed beforehand; intervals are Wilson's.

    Args:
        targets: 0/1 array of shape (n,).
        scores: float array of shape (n,).
        threshold: cases with this score or more are called positive.
        confidence: in (0, 1).
    """
    targets = check_targets(targets)
    called = check_scores(scores, len(targets)) >= threshold
    sensitivity = proportion(called[targets], confidence, "undefined: no positive case")
    specificity = proportion(~called[~targets], confidence, "undefined: no negative case")
    tp, fp = int(np.sum(called & targets)), int(np.sum(called & ~targets))
    return OperatingPoint(
        float(threshold), sensitivity, specificity, tp, fp, int(np.sum(~targets)) - fp, int(np.sum(targets)) - tp
    )


def sensitivity_at_specificity(
    targets, scores, specificity: float, groups=None, confidence: float = 0.95, replicates: int = 2000, seed: int = 0
) -> OperatingPoint:
    """Find the threshold with the highest sensitivity among those that keep at least this specificity.

    The interval of the sensitivity is a bootstrap that chooses the threshold anew in each sample, so that it holds the
    uncertainty of the choice; that of the specificity is Wilson's at the chosen threshold.

    Args:
        targets: 0/1 array of shape (n,) with both values.
        scores: float array of shape (n,).
        specificity: in [0, 1].
        groups: None, or n ids drawn as wholes.
        confidence: in (0, 1).
        replicates: bootstrap samples.
        seed: of the bootstrap.

    Raises:
        ValueError: when a class is absent, lengths differ, a score is not finite or `specificity` is outside [0, 1].
    """
    targets, scores = _both_classes(targets, scores)
    _check_rate("specificity", specificity)
    point = _best(targets, scores, lambda found, held: (held >= specificity - _SLACK, found, held), confidence)
    curve = Ranking(targets, scores)
    options = {"groups": groups, "confidence": confidence, "replicates": replicates, "seed": seed}
    metric = _rechosen(
        point.sensitivity, lambda weights: _highest(*curve.rates(weights), specificity), len(targets), **options
    )
    return point._replace(sensitivity=metric)


def specificity_at_sensitivity(
    targets, scores, sensitivity: float, groups=None, confidence: float = 0.95, replicates: int = 2000, seed: int = 0
) -> OperatingPoint:
    """Find the threshold with the highest specificity among those that keep at least this sensitivity.

    Intervals, args and errors as in `sensitivity_at_specificity`, with the two rates exchanged.
    """
    targets, scores = _both_classes(targets, scores)
    _check_rate("sensitivity", sensitivity)
    point = _best(targets, scores, lambda held, found: (held >= sensitivity - _SLACK, found, held), confidence)
    curve = Ranking(targets, scores)
    options = {"groups": groups, "confidence": confidence, "replicates": replicates, "seed": seed}
    metric = _rechosen(
        point.specificity, lambda weights: _highest(*curve.rates(weights)[::-1], sensitivity), len(targets), **options
    )
    return point._replace(specificity=metric)


def youden(targets, scores, confidence: float = 0.95) -> OperatingPoint:
    """Find the threshold with the highest sensitivity + specificity - 1; of equal ones the most sensitive.

    Intervals are Wilson's at the chosen threshold and leave out that it was chosen on these cases.

    Args and errors as in `sensitivity_at_specificity`.
    """
    targets, scores = _both_classes(targets, scores)
    return _best(targets, scores, lambda found, held: (True, found + held, found), confidence)


def decision_curve(targets, probabilities, thresholds: Sequence[float] | None = None) -> DecisionCurve:
    """Return the net benefit of acting on the model at each threshold probability.

    Net benefit is TP / n - FP / n * t / (1 - t): true positives, less false positives at the price that makes one act
    at t.

    Args:
        targets: 0/1 array of shape (n,).
        probabilities: float array of shape (n,) in [0, 1], calibrated.
        thresholds: threshold probabilities in (0, 1); 0.01 to 0.99 if None.

    Raises:
        ValueError: without cases, when a threshold or probability is out of range, or lengths differ.
    """
    targets = check_targets(targets)
    probabilities = check_scores(probabilities, len(targets))
    chosen = np.arange(1, 100) / 100 if thresholds is None else np.asarray(thresholds, dtype=np.float64)
    if not len(targets) or probabilities.min() < 0 or probabilities.max() > 1:
        raise ValueError(
            f"`probabilities` must lie in [0, 1] and hold at least one case. Received: shape {probabilities.shape}"
        )
    if not ((chosen > 0) & (chosen < 1)).all():
        raise ValueError(f"`thresholds` must be in (0, 1). Received: {chosen.min()} to {chosen.max()}")
    price = chosen / (1 - chosen)
    positives, negatives = np.sort(probabilities[targets]), np.sort(probabilities[~targets])
    tp = len(positives) - np.searchsorted(positives, chosen, side="left")
    fp = len(negatives) - np.searchsorted(negatives, chosen, side="left")
    prevalence = len(positives) / len(targets)
    return DecisionCurve(chosen, (tp - fp * price) / len(targets), prevalence - (1 - prevalence) * price)


def _both_classes(targets, scores) -> tuple[np.ndarray, np.ndarray]:
    targets = check_targets(targets)
    if targets.all() or not targets.any():
        raise ValueError(
            f"`targets` must hold both 0 and 1. Received: {int(targets.sum())} positives of {len(targets)}"
        )
    scores = check_scores(scores, len(targets))
    if not np.isfinite(scores).all():
        raise ValueError("`scores` must be finite. Received: an infinite score")
    return targets, scores


def _check_rate(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"`{name}` must be in [0, 1]. Received: {name}={value!r}")


def _best(targets, scores, judge, confidence: float) -> OperatingPoint:
    """Return the allowed point of highest worth; `judge` maps both rates to (allowed, worth, worth among equals)."""
    ranking = Ranking(targets, scores)
    allowed, worth, second = judge(*(rates[0] for rates in ranking.rates(np.ones((1, len(targets))))))
    index = np.lexsort((second, np.where(allowed, np.round(worth, 12), -np.inf)))[-1]
    levels = np.append(np.nextafter(scores.max(), np.inf), scores[ranking.order][ranking.ends])
    return at_threshold(targets, scores, levels[index], confidence)


def _highest(found: np.ndarray, held: np.ndarray, limit: float) -> np.ndarray:
    best = np.where(held >= limit - _SLACK, found, -1.0).max(axis=1)
    return np.where(best < 0, np.nan, best)


def _rechosen(metric: Metric, rate, n: int, **options) -> Metric:
    """Give a metric the bootstrap interval of `rate`, which chooses the threshold anew under each row of weights."""
    found = bootstrap_interval(rate, n, **options)
    return metric._replace(ci_low=found.ci_low, ci_high=found.ci_high, method=f"{found.method}, threshold chosen anew")
