"""Intervals for proportions and, by the bootstrap over cases or whole groups, for any statistic of weighted cases.

A bootstrap sample is a row of whole-number weights: how often each case was drawn. A statistic takes a block of such
rows and returns one value per row, so that thousands of samples cost a few matrix products and no resampled copies.
Drawing groups (patients, exams) instead of cases keeps cases of one patient together, as they come in a new study.

Reference: Wilson, JASA 22 (1927) 209-212; Efron, JASA 82 (1987) 171-185 for BCa; Field and Welsh, JRSS B 69 (2007)
369-390 for resampling whole clusters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

BLOCK_VALUES = 2_000_000  # weights held at once: 16 MB
MINIMUM_DEFINED = 0.9  # share of bootstrap samples in which the statistic must exist
_ROUNDING = 1e-12  # samples that differ by less are the same value, summed in another order

Statistic = Callable[[np.ndarray], np.ndarray]


class Interval(NamedTuple):
    """A two-sided interval; None for both bounds where there is none, with the reason in `method`."""

    ci_low: float | None
    ci_high: float | None
    method: str


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Return Wilson's score interval of a proportion of independent cases.

    Args:
        successes: 0 to n.
        n: number of cases; with 0 there is no interval.
        confidence: in (0, 1).
    """
    from scipy.stats import binomtest

    if n == 0:
        return Interval(None, None, "undefined: no case")
    low, high = binomtest(int(successes), int(n)).proportion_ci(confidence, method="wilson")
    return Interval(max(0.0, float(low)), min(1.0, float(high)), "Wilson")


def group_codes(n: int, groups=None) -> np.ndarray:
    """Return the group of each case as codes 0..G-1, int64 of shape (n,); without groups each case is its own.

    Raises:
        ValueError: when there is not one group per case.
    """
    if groups is None:
        return np.arange(n)
    codes = np.unique(np.asarray(groups), return_inverse=True)[1].reshape(-1)
    if len(codes) != n:
        raise ValueError(f"`groups` must have one entry per case. Received: {len(codes)} groups, {n} cases")
    return codes


def bootstrap_weights(codes: np.ndarray, replicates: int, seed: int) -> Iterator[np.ndarray]:
    """Draw groups with replacement and yield blocks of case weights, float64 of shape (block, n).

    Args:
        codes: group of each case, 0..G-1, int array of shape (n,).
        replicates: number of bootstrap samples over all blocks.
        seed: the samples are a function of seed, replicates and codes alone.
    """
    generator = np.random.default_rng(seed)
    count = int(codes.max()) + 1
    alone = count == len(codes) and bool((codes == np.arange(count)).all())
    block = max(1, BLOCK_VALUES // len(codes))
    for start in range(0, replicates, block):
        rows = min(block, replicates - start)
        drawn = generator.integers(0, count, size=(rows, count)) + np.arange(rows)[:, None] * count
        weights = np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count).astype(np.float64)
        yield weights if alone else weights[:, codes]


def bootstrap_samples(statistic: Statistic, codes: np.ndarray, replicates: int = 2000, seed: int = 0) -> np.ndarray:
    """Return the statistic of every bootstrap sample, shape (replicates,) or (replicates, k) as it gives it."""
    return np.concatenate([statistic(weights) for weights in bootstrap_weights(codes, replicates, seed)])


def percentile_interval(samples: np.ndarray, confidence: float = 0.95, name: str = "bootstrap") -> Interval:
    """Return the percentile interval of bootstrap samples; NaN samples (statistic undefined there) are left out.

    Where more than a tenth are undefined or all are equal there is no interval.
    """
    samples = np.asarray(samples, dtype=np.float64)
    problem = _unusable(samples)
    if problem:
        return Interval(None, None, problem)
    low, high = np.nanquantile(samples, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high), f"{name}, percentile")


def bootstrap_interval(
    statistic: Statistic,
    n: int,
    groups=None,
    confidence: float = 0.95,
    replicates: int = 2000,
    seed: int = 0,
    method: str = "percentile",
) -> Interval:
    """Bootstrap the interval of a statistic over cases, or over groups where they are given.

    Args:
        statistic: takes weights, float array of shape (rows, n); returns values of shape (rows,), NaN where undefined.
        n: number of cases.
        groups: None, or n ids drawn as wholes.
        confidence: in (0, 1).
        replicates: number of bootstrap samples.
        seed: of the draws.
        method: "percentile", or "bca": corrected for bias and, by leaving each group out, for skewness.

    Raises:
        ValueError: on an unknown method, no cases or unequal lengths.
    """
    if method not in ("percentile", "bca"):
        raise ValueError(f"`method` must be 'percentile' or 'bca'. Received: method={method!r}")
    if n < 1:
        raise ValueError(f"`n` must be at least 1. Received: n={n}")
    codes = group_codes(n, groups)
    samples = bootstrap_samples(statistic, codes, replicates, seed)
    name = bootstrap_name(groups is not None, replicates)
    if method == "percentile":
        return percentile_interval(samples, confidence, name)
    problem = _unusable(samples)
    if problem:
        return Interval(None, None, problem)
    return _bca(statistic, codes, samples[np.isfinite(samples)], confidence, name)


def bootstrap_name(grouped: bool, replicates: int) -> str:
    """Return the words for a bootstrap in the `method` of an interval."""
    return f"bootstrap over {'groups' if grouped else 'cases'} ({replicates} samples)"


def _unusable(samples: np.ndarray) -> str:
    defined = samples[np.isfinite(samples)]
    if len(defined) < MINIMUM_DEFINED * len(samples):
        return f"no interval: undefined in {len(samples) - len(defined)} of {len(samples)} bootstrap samples"
    if defined.max() - defined.min() <= _ROUNDING * max(1.0, abs(defined.max())):
        return "no interval: all bootstrap samples are equal"
    return ""


def _bca(statistic: Statistic, codes: np.ndarray, samples: np.ndarray, confidence: float, name: str) -> Interval:
    from scipy.special import ndtr, ndtri

    estimate = statistic(np.ones((1, len(codes))))[0]
    below = (np.sum(samples < estimate) + 0.5 * np.sum(samples == estimate)) / len(samples)
    bias = ndtri(np.clip(below, 1 / (2 * len(samples)), 1 - 1 / (2 * len(samples))))
    left_out = _jackknife(statistic, codes)
    deviation = left_out.mean() - left_out
    spread = np.sum(deviation**2) ** 1.5
    acceleration = np.sum(deviation**3) / (6 * spread) if spread > 0 else 0.0
    shifted = bias + ndtri([(1 - confidence) / 2, (1 + confidence) / 2])
    low, high = np.quantile(samples, ndtr(bias + shifted / (1 - acceleration * shifted)))
    return Interval(float(low), float(high), f"{name}, BCa")


def _jackknife(statistic: Statistic, codes: np.ndarray) -> np.ndarray:
    count = int(codes.max()) + 1
    block = max(1, BLOCK_VALUES // len(codes))
    values = [
        statistic((np.arange(start, min(start + block, count))[:, None] != codes).astype(np.float64))
        for start in range(0, count, block)
    ]
    values = np.concatenate(values)
    return values[np.isfinite(values)]
