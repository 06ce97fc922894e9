"""Proportions of cases that may depend on each other within groups: Wilson intervals, and intervals of their means.

With groups, Wilson's interval is computed for the effective number of cases n / d. The design effect d is the variance
of the proportion between groups divided by its variance for independent cases. It is at least 1. If no case or every
case is a success, d is that of groups whose cases are all equal.

A mean of proportions, such as balanced accuracy, gets its interval from the intervals of the proportions (MOVER): the
distances of their bounds from the estimates are added like standard errors, with the correlations between groups.

Reference: Wilson, JASA 22 (1927) 209-212; Rao and Scott, Biometrics 48 (1992) 577-585 for the effective number of
cases; Zou and Donner, Statistics in Medicine 27 (2008) 1693-1702 for MOVER; Lam, Gopal and Qian, arXiv 2309.14621
(2023) for the F1 score by the Jaccard index.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from keras_radtl.stats.intervals import Interval, group_codes, normal_quantile


class Proportion(NamedTuple):
    """A proportion, or a function of one, with its interval and what each group adds to its deviation.

    `contributions` has shape (G,) and sums to 0: the influence of each group on the estimate.
    """

    value: float
    ci_low: float
    ci_high: float
    contributions: np.ndarray


def clustered_wilson_interval(
    successes: ArrayLike, groups: ArrayLike | None = None, confidence: float = 0.95
) -> Interval:
    """Compute Wilson's interval of a proportion for cases that may depend on each other within groups.

    If no group has several cases, this is Wilson's interval for independent cases, up to the factor G / (G - 1) of the
    variance between groups.

    Args:
        successes: 0/1 or bool array of shape (n,).
        groups: group id (for example the patient) of each case, shape (n,); None if all cases are independent.
        confidence: confidence level in (0, 1).

    Returns:
        An `Interval` with bounds in [0, 1]; without cases both are None.

    Raises:
        ValueError: if lengths differ, a group id is empty or `confidence` is not in (0, 1).
    """
    hits = np.asarray(successes, dtype=np.float64)
    codes = group_codes(len(hits), groups)
    if not len(hits):
        return Interval(None, None, "undefined: no case")
    found = proportion(hits, np.ones(len(hits), bool), codes, confidence, clustered=groups is not None)
    return Interval(found.ci_low, found.ci_high, "Wilson" if groups is None else "Wilson, clustered")


def proportion(
    hits: np.ndarray, chosen: np.ndarray, codes: np.ndarray, confidence: float, clustered: bool
) -> Proportion:
    """Estimate the share of hits among the chosen cases.

    Args:
        hits: 0/1 or bool array of shape (n,).
        chosen: bool array of shape (n,) with at least one True.
        codes: group code of each case, int array of shape (n,).
        confidence: confidence level in (0, 1).
        clustered: whether cases of a group may depend on each other.
    """
    n, groups = int(chosen.sum()), int(codes.max()) + 1
    sizes = np.bincount(codes[chosen], minlength=groups)
    sums = np.bincount(codes[chosen], weights=hits[chosen], minlength=groups)
    value = float(sums.sum() / n)
    contributions = (sums - value * sizes) / n
    effect = _design_effect(value, sizes, contributions) if clustered else 1.0
    low, high = _wilson(value, n / effect, normal_quantile(confidence))
    return Proportion(value, low, high, contributions)


def _design_effect(value: float, sizes: np.ndarray, contributions: np.ndarray) -> float:
    """Return by what the variance of a proportion exceeds that for independent cases; at least 1."""
    n, count = int(sizes.sum()), int(np.sum(sizes > 0))
    if value in (0.0, 1.0) or count < 2:
        return float(sizes @ sizes / n)
    between = count / (count - 1) * float(contributions @ contributions)
    return max(1.0, between / (value * (1 - value) / n))


def _wilson(value: float, n: float, z: float) -> tuple[float, float]:
    centre, spread = value + z**2 / (2 * n), z * np.sqrt(value * (1 - value) / n + z**2 / (4 * n**2))
    low, high = (centre - spread) / (1 + z**2 / n), (centre + spread) / (1 + z**2 / n)
    return (0.0 if value == 0 else max(0.0, float(low))), (1.0 if value == 1 else min(1.0, float(high)))


def f1_score(
    positive: np.ndarray, predicted: np.ndarray, codes: np.ndarray, confidence: float, clustered: bool
) -> Proportion:
    """Estimate the F1 score as 2 J / (1 + J), with J the share of true positives among positives and predicted ones.

    Args:
        positive: bool array of shape (n,).
        predicted: bool array of shape (n,); at least one case is positive or predicted positive.
        codes: group code of each case, int array of shape (n,).
        confidence: confidence level in (0, 1).
        clustered: whether cases of a group may depend on each other.
    """
    jaccard = proportion(positive & predicted, positive | predicted, codes, confidence, clustered)
    value, low, high = (2 * bound / (1 + bound) for bound in jaccard[:3])
    return Proportion(value, low, high, jaccard.contributions * 2 / (1 + jaccard.value) ** 2)


def mean_of_proportions(parts: Sequence[Proportion]) -> Proportion:
    """Estimate the mean of proportions of the same groups (MOVER); one part is returned as it is."""
    if len(parts) == 1:
        return parts[0]
    value = float(np.mean([part.value for part in parts]))
    influence = np.stack([part.contributions for part in parts])
    scale = np.sqrt(np.sum(influence**2, axis=1))
    standard = np.divide(influence, scale[:, None], out=np.zeros_like(influence), where=scale[:, None] > 0)
    correlation = standard @ standard.T
    np.fill_diagonal(correlation, 1.0)
    below = np.array([part.value - part.ci_low for part in parts])
    above = np.array([part.ci_high - part.value for part in parts])
    low, high = (float(np.sqrt(max(0.0, d @ correlation @ d))) / len(parts) for d in (below, above))
    return Proportion(value, max(0.0, value - low), min(1.0, value + high), influence.mean(axis=0))
