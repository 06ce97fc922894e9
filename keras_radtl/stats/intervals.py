"""Confidence intervals: Wilson's for independent cases, the bootstrap over cases or groups for any weighted statistic.

A bootstrap sample is represented by a row of integer weights: how often each case was drawn. A statistic takes a block
of rows and returns one value per row, so thousands of samples take a few matrix products and no case is copied.
Drawing groups (patients, exams) instead of cases respects the correlation between cases of the same group.

Reference: Wilson, JASA 22 (1927) 209-212; Efron, JASA 82 (1987) 171-185 for BCa; Field and Welsh, JRSS B 69 (2007)
369-390 for the cluster bootstrap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

BLOCK_VALUES = 2_000_000  # weights per block: 16 MB
MINIMUM_DEFINED = 0.9  # share of bootstrap samples in which the statistic must be defined
_ROUNDING = 1e-12  # relative difference up to which samples count as equal: only the order of summation differs

Statistic = Callable[[np.ndarray], np.ndarray]


class Interval(NamedTuple):
    """A two-sided confidence interval; if there is none, both bounds are None and `method` gives the reason."""

    ci_low: float | None
    ci_high: float | None
    method: str


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Compute Wilson's score interval for a proportion of independent cases.

    Args:
        successes: number of successes, 0 to n.
        n: number of cases; 0 gives no interval.
        confidence: confidence level in (0, 1).

    Returns:
        An `Interval` with bounds in [0, 1].
    """
    from scipy.stats import binomtest

    if n == 0:
        return Interval(None, None, "undefined: no case")
    low, high = binomtest(int(successes), int(n)).proportion_ci(confidence, method="wilson")
    return Interval(max(0.0, float(low)), min(1.0, float(high)), "Wilson")


def group_codes(n: int, groups: ArrayLike | None = None) -> np.ndarray:
    """Return the group of each case as an integer code from 0 to G - 1; without groups every case is its own group.

    Args:
        n: number of cases.
        groups: group ids of shape (n,), or None.

    Returns:
        An int64 array of shape (n,).

    Raises:
        ValueError: if there is not exactly one group id per case, or an id is empty.
    """
    if groups is None:
        return np.arange(n)
    ids = np.asarray(groups).reshape(-1)
    if len(ids) != n:
        raise ValueError(f"`groups` must have one entry per case. Received: {len(ids)} groups, {n} cases")
    empty = empty_ids(ids)
    if len(empty):
        more = f" and {len(empty) - 1} more" if len(empty) > 1 else ""
        raise ValueError(
            f"`groups` must not be empty. Received: {ids.tolist()[empty[0]]!r} for case {empty[0]}{more}, from 0"
        )
    if ids.dtype == object:
        ids = ids.astype(str)
    return np.unique(ids, return_inverse=True)[1].reshape(-1)


def empty_ids(ids: ArrayLike) -> np.ndarray:
    """Return the positions, counted from 0, of ids that name no group: None, NaN, empty text and spaces."""
    ids = np.asarray(ids).reshape(-1)
    if ids.dtype.kind in "iub":
        return np.empty(0, np.intp)
    if ids.dtype.kind == "f":
        return np.flatnonzero(np.isnan(ids))
    missing = [value is None or value != value or not str(value).strip() for value in ids.tolist()]
    return np.flatnonzero(np.array(missing, dtype=bool))


def has_clusters(codes: np.ndarray) -> bool:
    """Return whether a group has several cases."""
    return len(codes) > 0 and int(codes.max()) + 1 < len(codes)


def normal_quantile(confidence: float) -> float:
    """Return the two-sided standard normal quantile of a confidence level, for example 1.96 for 0.95.

    Raises:
        ValueError: if `confidence` is not in (0, 1).
    """
    from scipy.special import ndtri

    if not 0 < confidence < 1:
        raise ValueError(f"`confidence` must be in (0, 1). Received: confidence={confidence!r}")
    return float(ndtri(0.5 + confidence / 2))


def student_quantile(confidence: float, df: float) -> float:
    """Return the two-sided quantile of Student's t distribution of a confidence level.

    Raises:
        ValueError: if `confidence` is not in (0, 1).
    """
    from scipy.special import stdtrit

    normal_quantile(confidence)  # checks it
    return float(stdtrit(df, 0.5 + confidence / 2))


def bootstrap_weights(codes: np.ndarray, replicates: int, seed: int) -> Iterator[np.ndarray]:
    """Draw groups with replacement and yield blocks of case weights, float64 of shape (block, n).

    Args:
        codes: group code of each case, int array of shape (n,) with values 0 to G - 1.
        replicates: total number of bootstrap samples.
        seed: random seed; the samples depend on `codes`, `replicates` and `seed` only.
    """
    generator = np.random.default_rng(seed)
    count = int(codes.max()) + 1
    ungrouped = count == len(codes) and bool((codes == np.arange(count)).all())
    block = max(1, BLOCK_VALUES // len(codes))
    for start in range(0, replicates, block):
        rows = min(block, replicates - start)
        drawn = generator.integers(0, count, size=(rows, count)) + np.arange(rows)[:, None] * count
        weights = np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count).astype(np.float64)
        yield weights if ungrouped else weights[:, codes]


def bootstrap_samples(statistic: Statistic, codes: np.ndarray, replicates: int = 2000, seed: int = 0) -> np.ndarray:
    """Evaluate a statistic on every bootstrap sample.

    Args:
        statistic: takes weights of shape (rows, n), returns values of shape (rows,) or (rows, k).
        codes: group code of each case, int array of shape (n,) with values 0 to G - 1.
        replicates: number of bootstrap samples.
        seed: random seed.

    Returns:
        A float array of shape (replicates,) or (replicates, k).
    """
    return np.concatenate([statistic(weights) for weights in bootstrap_weights(codes, replicates, seed)])


def percentile_interval(samples: ArrayLike, confidence: float = 0.95, name: str = "bootstrap") -> Interval:
    """Compute the percentile interval of bootstrap samples.

    NaN samples, in which the statistic is undefined, are ignored. There is no interval if more than 10 % of the samples
    are NaN or if all samples are equal.

    Args:
        samples: float array of shape (replicates,).
        confidence: confidence level in (0, 1).
        name: start of the `method` text.

    Returns:
        An `Interval`.
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
    groups: ArrayLike | None = None,
    confidence: float = 0.95,
    replicates: int = 2000,
    seed: int = 0,
    method: str = "percentile",
) -> Interval:
    """Compute a bootstrap confidence interval of a statistic, resampling cases or whole groups.

    Args:
        statistic: takes weights, a float array of shape (rows, n), and returns values of shape (rows,), NaN where the
            statistic is undefined.
        n: number of cases.
        groups: group id of each case, shape (n,), to resample whole groups; None to resample cases.
        confidence: confidence level in (0, 1).
        replicates: number of bootstrap samples.
        seed: random seed.
        method: "percentile" or "bca" (bias-corrected and accelerated, with the acceleration from the jackknife over
            groups).

    Returns:
        An `Interval`.

    Raises:
        ValueError: if `method` is unknown, `n` is less than 1 or the number of group ids is not `n`.
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
    """Return the description of a bootstrap that starts the `method` of its intervals."""
    return f"bootstrap{', clustered' * grouped} ({replicates} samples)"


def _unusable(samples: np.ndarray) -> str:
    """Return why samples give no interval, or an empty string."""
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
    jackknife = _jackknife(statistic, codes)
    deviation = jackknife.mean() - jackknife
    spread = np.sum(deviation**2) ** 1.5
    acceleration = np.sum(deviation**3) / (6 * spread) if spread > 0 else 0.0
    shifted = bias + ndtri([(1 - confidence) / 2, (1 + confidence) / 2])
    low, high = np.quantile(samples, ndtr(bias + shifted / (1 - acceleration * shifted)))
    return Interval(float(low), float(high), f"{name}, BCa")


def _jackknife(statistic: Statistic, codes: np.ndarray) -> np.ndarray:
    """Return the statistic without each group in turn, where it is defined."""
    count = int(codes.max()) + 1
    block = max(1, BLOCK_VALUES // len(codes))
    blocks = [
        statistic((np.arange(start, min(start + block, count))[:, None] != codes).astype(np.float64))
        for start in range(0, count, block)
    ]
    values = np.concatenate(blocks)
    return values[np.isfinite(values)]
