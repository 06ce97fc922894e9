"""Areas under ROC curves after DeLong: variance, intervals, tests of two curves and of many.

All of it rests on placements: the share of negatives that a positive outscores and the share of positives that outscore
a negative, ties counting half. They come from two sorts and binary searches, so n cases cost O(n log n) time and O(n)
memory, and they are counted in whole numbers, so nothing overflows or rounds before the last division.

A higher score always means more positive; negate scores that run the other way.

Reference: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988) 837-845; Sun and Xu, IEEE Signal Processing Letters
21 (2014) 1389-1393 for the fast form; Obuchowski, Biometrics 53 (1997) 567-578 for several cases of one patient.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class AucInterval(NamedTuple):
    """One AUC with its interval; what is not defined is None and `method` says why."""

    auc: float | None
    variance: float | None
    ci_low: float | None
    ci_high: float | None
    positives: int
    negatives: int
    method: str


class AucCovariance(NamedTuple):
    """The AUCs of K score vectors over the same cases; the covariance matrix of them, or of contrasts between them."""

    aucs: np.ndarray
    covariance: np.ndarray
    positives: int
    negatives: int


def check_targets(targets) -> np.ndarray:
    """Return targets as a boolean array of shape (n,).

    Raises:
        ValueError: when they are not one-dimensional or hold anything but 0 and 1.
    """
    targets = np.asarray(targets)
    if targets.ndim != 1 or not np.isin(targets, (0, 1)).all():
        raise ValueError(
            f"`targets` must be one-dimensional and hold 0 and 1 only. Received: shape {targets.shape}, "
            f"values {np.unique(targets)[:5].tolist()}"
        )
    return targets.astype(bool)


def check_scores(scores, n: int) -> np.ndarray:
    """Return scores as float64 of shape (..., n); infinite values are allowed, NaN is not.

    Raises:
        ValueError: when the last axis is not n long or a score is NaN.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim == 0 or scores.shape[-1] != n:
        raise ValueError(f"`scores` must have one entry per target. Received: shape {scores.shape}, {n} targets")
    if np.isnan(scores).any():
        raise ValueError(f"`scores` must not be NaN. Received: {int(np.isnan(scores).sum())} NaN")
    return scores


def doubled_placements(targets: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count for each positive the negatives below it and for each negative the positives above it.

    A pair counts 2, a tied pair 1, so the counts are exact int64.

    Args:
        targets: bool array of shape (n,).
        scores: float array of shape (n,) without NaN.

    Returns:
        Arrays of shape (positives,), values 0 to 2 * negatives, and (negatives,), values 0 to 2 * positives.
    """
    positive, negative = scores[targets], scores[~targets]
    of_positives = _doubled_counts_below(positive, negative)
    of_negatives = 2 * len(positive) - _doubled_counts_below(negative, positive)
    return of_positives, of_negatives


def _doubled_counts_below(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    others = np.sort(others)
    return np.searchsorted(others, values, side="left") + np.searchsorted(others, values, side="right")


def delong_covariance(targets, scores, groups=None, contrasts=None) -> AucCovariance:
    """Estimate the AUCs of K score vectors over the same cases and their covariance.

    Args:
        targets: 0/1 array of shape (n,) with both values.
        scores: float array of shape (K, n), or (n,) for one curve.
        groups: None for independent cases, or n ids (patients): cases of a group may then depend on each other.
        contrasts: None, or float array of shape (q, K): give the covariance of `contrasts @ aucs`, shape (q, q), formed
            from differences of placements, so that close curves lose no digits.

    Returns:
        An `AucCovariance`. The covariance is NaN with fewer than two positives or negatives (or groups with
            one).

    Raises:
        ValueError: when targets lack a class or lengths differ.
    """
    targets = check_targets(targets)
    scores = np.atleast_2d(check_scores(scores, len(targets)))
    m, n = int(targets.sum()), int((~targets).sum())
    if not m or not n:
        raise ValueError(f"`targets` must hold both 0 and 1. Received: {m} positives, {n} negatives")
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
        covariance = _clustered_covariance(targets, of_positives, of_negatives, groups)
    elif m < 2 or n < 2:
        covariance = np.full((len(of_positives), len(of_positives)), np.nan)
    else:
        covariance = of_positives @ of_positives.T / (m - 1) / m + of_negatives @ of_negatives.T / (n - 1) / n
    return AucCovariance(aucs, covariance, m, n)


def _clustered_covariance(targets, of_positives, of_negatives, groups) -> np.ndarray:
    """Sum centred placements within groups first (Obuchowski 1997); with one case per group this is DeLong's form."""
    codes = np.unique(np.asarray(groups), return_inverse=True)[1].reshape(-1)
    if len(codes) != len(targets):
        raise ValueError(
            f"`groups` must have one entry per target. Received: {len(codes)} groups, {len(targets)} targets"
        )
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


def delong_interval(targets, scores, confidence: float = 0.95, scale: str = "plain", groups=None) -> AucInterval:
    """Return one AUC with its variance and interval, whatever the data look like.

    `scale="plain"` is the symmetric interval cut to [0, 1], as R's pROC gives it. `scale="logit"` is symmetric on the
    log odds of the AUC, stays inside (0, 1) and covers better near 1. With an AUC of 0 or 1, or a single positive or
    negative, DeLong's variance is zero or undefined; Newcombe's interval stands in and `method` says so.

    Args:
        targets: 0/1 array of shape (n,).
        scores: float array of shape (n,).
        confidence: in (0, 1).
        scale: "plain" or "logit".
        groups: None, or n ids: cases of a group (patient) may depend on each other (Obuchowski's variance).

    Raises:
        ValueError: on NaN scores, other targets than 0 and 1, or unequal lengths.
    """
    if scale not in ("plain", "logit"):
        raise ValueError(f"`scale` must be 'plain' or 'logit'. Received: scale={scale!r}")
    z = normal_quantile(confidence)
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
        if groups is not None:
            groups = np.asarray(groups)
            low, high = newcombe_interval(auc, len(set(groups[targets])), len(set(groups[~targets])), confidence)
        else:
            low, high = newcombe_interval(auc, m, n, confidence)
        reason = f"AUC is {auc:g}" if auc in (0.0, 1.0) else "a single positive or negative"
        known = variance if variance == 0 else None
        return AucInterval(auc, known, low, high, m, n, f"Newcombe (DeLong's variance is void: {reason})")
    error = float(np.sqrt(variance))
    name = "DeLong" if groups is None else "DeLong, clustered"
    if scale == "logit":
        centre, half = np.log(auc / (1 - auc)), z * error / (auc * (1 - auc))
        low, high = (float(1 / (1 + np.exp(-edge))) for edge in (centre - half, centre + half))
        return AucInterval(auc, variance, low, high, m, n, f"{name}, logit")
    return AucInterval(auc, variance, max(0.0, auc - z * error), min(1.0, auc + z * error), m, n, name)


def newcombe_interval(auc: float, positives: int, negatives: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the score-type interval of an AUC from the AUC and the counts alone; good at 0 and 1 and in small samples.

    The bounds solve |auc - t| = z * sqrt(V(t)) with Hanley and McNeil's variance V under exponential scores.

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


def normal_quantile(confidence: float) -> float:
    """Return the two-sided standard normal quantile, 1.96 for 0.95.

    Raises:
        ValueError: when `confidence` is not in (0, 1).
    """
    from scipy.special import ndtri

    if not 0 < confidence < 1:
        raise ValueError(f"`confidence` must be in (0, 1). Received: confidence={confidence!r}")
    return float(ndtri(0.5 + confidence / 2))
