"""DeLong's variance, covariance and confidence intervals for areas under ROC curves (AUCs).

Everything is computed from placements: for each positive case the share of negatives that score lower, and for each
negative case the share of positives that score higher, with ties counted as one half. Sorting and binary search find
them, so n cases need O(n log n) time and O(n) memory. Placements are counted in integers and divided once at the end,
which avoids overflow and accumulated rounding.

A higher score always means "more positive"; negate scores that have the opposite orientation.

Reference: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988) 837-845; Sun and Xu, IEEE Signal Processing Letters
21 (2014) 1389-1393 for the fast algorithm; Obuchowski, Biometrics 53 (1997) 567-578 for clustered data.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from keras_radtl.stats.intervals import group_codes, normal_quantile, student_quantile


class AucInterval(NamedTuple):
    """An AUC with its variance and confidence interval; undefined values are None and `method` gives the reason."""

    auc: float | None
    variance: float | None
    ci_low: float | None
    ci_high: float | None
    positives: int
    negatives: int
    method: str


class AucCovariance(NamedTuple):
    """The AUCs of K score vectors on the same cases, with their covariance matrix or that of contrasts between them."""

    aucs: np.ndarray
    covariance: np.ndarray
    positives: int
    negatives: int


def check_targets(targets: ArrayLike) -> np.ndarray:
    """Return targets as a boolean array of shape (n,).

    Raises:
        ValueError: if `targets` is not one-dimensional or has values other than 0 and 1.
    """
    targets = np.asarray(targets)
    if targets.ndim != 1 or not np.isin(targets, (0, 1)).all():
        raise ValueError(
            f"`targets` must be one-dimensional with values 0 and 1. Received: shape {targets.shape}, "
            f"values {np.unique(targets)[:5].tolist()}"
        )
    return targets.astype(bool)


def check_scores(scores: ArrayLike, n: int) -> np.ndarray:
    """Return scores as float64 of shape (..., n); infinite scores are allowed, NaN is not.

    Raises:
        ValueError: if the last axis does not have length n or a score is NaN.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim == 0 or scores.shape[-1] != n:
        raise ValueError(f"`scores` must have one entry per target. Received: shape {scores.shape}, {n} targets")
    if np.isnan(scores).any():
        raise ValueError(f"`scores` must not be NaN. Received: {int(np.isnan(scores).sum())} NaN")
    return scores


def doubled_placements(targets: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count the negatives below each positive and the positives above each negative, times two.

    An ordered pair counts 2 and a tied pair 1, so all counts are exact int64.

    Args:
        targets: bool array of shape (n,).
        scores: float array of shape (n,) without NaN.

    Returns:
        Two int64 arrays: shape (positives,) with values from 0 to 2 * negatives, and shape (negatives,) with values
            from 0 to 2 * positives.
    """
    positive, negative = scores[targets], scores[~targets]
    of_positives = _doubled_counts_below(positive, negative)
    of_negatives = 2 * len(positive) - _doubled_counts_below(negative, positive)
    return of_positives, of_negatives


def _doubled_counts_below(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    others = np.sort(others)
    return np.searchsorted(others, values, side="left") + np.searchsorted(others, values, side="right")


def delong_covariance(
    targets: ArrayLike, scores: ArrayLike, groups: ArrayLike | None = None, contrasts: np.ndarray | None = None
) -> AucCovariance:
    """Estimate the AUCs of K score vectors on the same cases and their covariance matrix.

    Args:
        targets: 0/1 array of shape (n,) with both values present.
        scores: float array of shape (K, n), or (n,) for a single curve.
        groups: group id (for example the patient) of each case, shape (n,), if cases of a group are correlated; None
            if all cases are independent.
        contrasts: float array of shape (q, K), or None. If given, the covariance matrix is that of `contrasts @ aucs`,
            shape (q, q). It is computed from differences of placements, which keeps full precision for nearly equal
            curves.

    Returns:
        An `AucCovariance`. The covariance is NaN if there are fewer than two positives or two negatives (with `groups`:
            fewer than two groups that contain one).

    Raises:
        ValueError: if a class is absent, lengths differ or a score is NaN.
    """
    targets = check_targets(targets)
    scores = np.atleast_2d(check_scores(scores, len(targets)))
    m, n = int(targets.sum()), int((~targets).sum())
    if not m or not n:
        raise ValueError(f"`targets` must contain both 0 and 1. Received: {m} positives, {n} negatives")
    of_positives, of_negatives = np.empty((len(scores), m)), np.empty((len(scores), n))
    aucs = np.empty(len(scores))
    for k, row in enumerate(scores):
        x, y = doubled_placements(targets, row)
        aucs[k] = int(x.sum()) / (2 * m * n)
        of_positives[k] = (x - x.mean()) / (2 * n)
        of_negatives[k] = (y - y.mean()) / (2 * m)
    if contrasts is not None:
        of_positives, of_negatives = contrasts @ of_positives, contrasts @ of_negatives
    if groups is not None:
        covariance = _clustered_covariance(targets, of_positives, of_negatives, group_codes(len(targets), groups))
    elif m < 2 or n < 2:
        covariance = np.full((len(of_positives), len(of_positives)), np.nan)
    else:
        covariance = of_positives @ of_positives.T / (m - 1) / m + of_negatives @ of_negatives.T / (n - 1) / n
    return AucCovariance(aucs, covariance, m, n)


def _clustered_covariance(
    targets: np.ndarray, of_positives: np.ndarray, of_negatives: np.ndarray, codes: np.ndarray
) -> np.ndarray:
    """Sum centred placements by group (Obuchowski 1997); with one case per group this equals DeLong's estimate."""
    count, curves = int(codes.max()) + 1, len(of_positives)
    m, n = of_positives.shape[1], of_negatives.shape[1]
    with_positive = len(np.unique(codes[targets]))
    with_negative = len(np.unique(codes[~targets]))
    if with_positive < 2 or with_negative < 2:
        return np.full((curves, curves), np.nan)
    x = np.stack([np.bincount(codes[targets], weights=row, minlength=count) for row in of_positives]) / m
    y = np.stack([np.bincount(codes[~targets], weights=row, minlength=count) for row in of_negatives]) / n
    cross = x @ y.T
    return (
        x @ x.T * with_positive / (with_positive - 1)
        + y @ y.T * with_negative / (with_negative - 1)
        + (cross + cross.T) * count / (count - 1)
    )


def delong_interval(
    targets: ArrayLike,
    scores: ArrayLike,
    confidence: float = 0.95,
    scale: str = "logit",
    groups: ArrayLike | None = None,
) -> AucInterval:
    """Estimate an AUC with DeLong's variance and a confidence interval.

    `scale="logit"` gives the interval that is symmetric on the logit scale; it stays inside (0, 1) and has better
    coverage for AUCs near 1 and in small samples. `scale="plain"` gives the symmetric interval clipped to [0, 1], as
    R's pROC does. With `groups` the quantile is that of Student's t with G - 1 degrees of freedom.

    If the AUC is 0 or 1, or there is only one positive or negative, DeLong's variance is zero or undefined. Newcombe's
    interval is returned instead and `method` says so.

    Args:
        targets: 0/1 array of shape (n,).
        scores: float array of shape (n,), higher means more positive.
        confidence: confidence level in (0, 1).
        scale: "logit" or "plain".
        groups: group id (for example the patient) of each case, shape (n,), for Obuchowski's clustered variance; None
            if all cases are independent.

    Returns:
        An `AucInterval`. Without positives or negatives every estimate is None; if all scores are equal the AUC is 0.5
            without an interval.

    Raises:
        ValueError: if a score is NaN, a target is not 0 or 1, or lengths differ.
    """
    if scale not in ("plain", "logit"):
        raise ValueError(f"`scale` must be 'plain' or 'logit'. Received: scale={scale!r}")
    normal_quantile(confidence)  # checks it
    targets = check_targets(targets)
    scores = check_scores(scores, len(targets))
    m, n = int(targets.sum()), int((~targets).sum())
    if not m or not n:
        missing = "positive" if not m else "negative"
        return AucInterval(None, None, None, None, m, n, f"undefined: no {missing} case")
    estimate = delong_covariance(targets, scores, groups)
    auc, variance = float(estimate.aucs[0]), float(estimate.covariance[0, 0])
    if scores.min() == scores.max():
        return AucInterval(auc, None, None, None, m, n, "no interval: all scores are equal")
    if not variance > 0:
        return _without_variance(auc, variance, targets, confidence, groups)
    z, name = normal_quantile(confidence), "DeLong"
    if groups is not None:
        z = student_quantile(confidence, int(group_codes(len(targets), groups).max()))
        name = "DeLong, clustered"
    error = float(np.sqrt(variance))
    if scale == "logit":
        centre, half = np.log(auc / (1 - auc)), z * error / (auc * (1 - auc))
        low, high = (float(1 / (1 + np.exp(-edge))) for edge in np.clip((centre - half, centre + half), -700, 700))
        return AucInterval(auc, variance, low, high, m, n, f"{name}, logit")
    low, high = max(0.0, auc - z * error), min(1.0, auc + z * error)
    return AucInterval(auc, variance, low, high, m, n, f"{name}, plain")


def _without_variance(
    auc: float, variance: float, targets: np.ndarray, confidence: float, groups: ArrayLike | None
) -> AucInterval:
    """Return Newcombe's interval where DeLong's variance is not positive; with groups, counted by group."""
    m, n = int(targets.sum()), int((~targets).sum())
    unit, positives, negatives = "case", m, n
    if groups is not None:
        codes = group_codes(len(targets), groups)
        unit, positives, negatives = "group", len(np.unique(codes[targets])), len(np.unique(codes[~targets]))
    if auc in (0.0, 1.0):
        reason = f"AUC is {auc:g}"
    elif np.isnan(variance):
        reason = f"only one {unit} with a positive or negative target"
    else:
        reason = "placements cancel within groups"
    low, high = newcombe_interval(auc, positives, negatives, confidence)
    method = f"Newcombe{', clustered' * (groups is not None)} (no DeLong variance: {reason})"
    return AucInterval(auc, 0.0 if variance == 0 else None, low, high, m, n, method)


def newcombe_interval(auc: float, positives: int, negatives: int, confidence: float = 0.95) -> tuple[float, float]:
    """Compute a score-type confidence interval of an AUC from the AUC and the class counts alone.

    It is valid for AUCs of 0 and 1 and in small samples. Each bound t solves |auc - t| = z * sqrt(V(t)), where V is
    Hanley and McNeil's variance under exponentially distributed scores.

    Args:
        auc: estimate in [0, 1].
        positives: number of positive cases, at least 1.
        negatives: number of negative cases, at least 1.
        confidence: confidence level in (0, 1).

    Returns:
        The lower and the upper bound, each in [0, 1].

    Reference: Newcombe, Statistics in Medicine 25 (2006) 559-573, method 5.
    """
    from scipy.optimize import brentq

    z = normal_quantile(confidence)
    half = (positives + negatives) / 2 - 1

    def excess(t: float) -> float:
        variance = t * (1 - t) * (1 + half * (1 - t) / (2 - t) + half * t / (1 + t)) / (positives * negatives)
        return (auc - t) ** 2 - z**2 * variance

    low = 0.0 if auc == 0 else brentq(excess, 0.0, auc - 1e-12 * auc, xtol=1e-14)
    high = 1.0 if auc == 1 else brentq(excess, auc + 1e-12 * (1 - auc), 1.0, xtol=1e-14)
    return float(low), float(high)
