"""Rank tests of two samples, of paired samples and of several samples.

Statistics, the choice between exact and normal p-values, and the continuity and tie corrections follow R's
`wilcox.test` and `kruskal.test`. The p-values of two-sample and paired tests are two-sided.

Reference: Wilcoxon (1945), Biometrics Bulletin 1(6); Kruskal, Wallis (1952), JASA 47(260).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from keras_radtl.stats.mixed_design import factor_levels
from keras_radtl.stats.paired import adjust_p_values

EXACT_BELOW = 50  # as in R: exact if each sample (or the number of pairs) is smaller than this and there are no ties


class RankSum(NamedTuple):
    """Wilcoxon rank sum test; `w` is R's W, the rank sum of the first sample minus n1 (n1 + 1) / 2."""

    w: float
    p: float
    method: str


class SignedRank(NamedTuple):
    """Wilcoxon signed rank test; `v` is R's V, the rank sum of the positive differences, with zeros excluded."""

    v: float
    p: float
    method: str


class ChiSquaredRank(NamedTuple):
    """Kruskal-Wallis or Friedman test: statistic, degrees of freedom and p-value from the chi-squared distribution."""

    statistic: float
    df: int
    p: float


class StratumRankSum(NamedTuple):
    """Rank sum test of two levels of a factor within one stratum; `w` refers to the first level.

    `n` is the number of values of each level; `p_adjusted` is adjusted by Holm's method over all tests of one call.
    """

    stratum: str
    levels: tuple[str, str]
    n: tuple[int, int]
    w: float
    p: float
    p_adjusted: float
    method: str


class StratumKruskal(NamedTuple):
    """Kruskal-Wallis test of all levels of a factor within one stratum."""

    stratum: str
    levels: tuple[str, ...]
    statistic: float
    df: int
    p: float


def rank_sum_test(first: Sequence[float], second: Sequence[float]) -> RankSum:
    """Test whether two independent samples have the same location (Wilcoxon rank sum or Mann-Whitney U test).

    The p-value is exact if each sample has fewer than 50 values and there are no ties; otherwise it uses the normal
    approximation with continuity and tie correction.

    Args:
        first: n1 finite numbers.
        second: n2 finite numbers.

    Returns:
        A `RankSum`. If all values are equal, the p-value is 1 (R returns NaN).

    Raises:
        ValueError: if a sample is empty or has values that are not finite.
    """
    from scipy.stats import mannwhitneyu, rankdata

    x, y = _sample("first", first), _sample("second", second)
    ranks = rankdata(np.concatenate([x, y]))
    w = float(ranks[: len(x)].sum() - len(x) * (len(x) + 1) / 2)
    if np.ptp(ranks) == 0:
        return RankSum(w, 1.0, "normal")
    exact = max(len(x), len(y)) < EXACT_BELOW and len(np.unique(ranks)) == len(ranks)
    p = float(mannwhitneyu(x, y, method="exact" if exact else "asymptotic").pvalue)
    return RankSum(w, p, "exact" if exact else "normal")


def signed_rank_test(first: Sequence[float], second: Sequence[float]) -> SignedRank:
    """Test whether the differences of paired samples are symmetric about zero (Wilcoxon signed rank test).

    Zero differences are excluded. The p-value is exact if there are fewer than 50 pairs, no ties and no zeros;
    otherwise it uses the normal approximation with continuity and tie correction.

    Args:
        first: n finite numbers.
        second: n finite numbers, in the same order.

    Returns:
        A `SignedRank`. If all differences are zero, the p-value is 1.

    Raises:
        ValueError: if lengths differ, or a sample is empty or has values that are not finite.
    """
    from scipy.special import ndtr
    from scipy.stats import rankdata

    x, y = _sample("first", first), _sample("second", second)
    if len(x) != len(y):
        raise ValueError(f"`first` and `second` must have the same length. Received: {len(x)} and {len(y)}")
    differences = x - y
    kept = differences[differences != 0]
    if len(kept) == 0:
        return SignedRank(0.0, 1.0, "normal")
    ranks = rankdata(np.abs(kept))
    v, n = float(ranks[kept > 0].sum()), len(kept)
    if len(x) < EXACT_BELOW and n == len(x) and len(np.unique(ranks)) == n:
        counts = _signed_rank_counts(n)
        tail = counts[: int(min(v, n * (n + 1) / 2 - v)) + 1].sum() / counts.sum()
        return SignedRank(v, min(1.0, 2 * float(tail)), "exact")
    ties = np.unique(ranks, return_counts=True)[1].astype(float)
    variance = n * (n + 1) * (2 * n + 1) / 24 - (ties**3 - ties).sum() / 48
    distance = abs(v - n * (n + 1) / 4)
    z = max(distance - 0.5, 0.0) if distance else 0.0
    return SignedRank(v, float(2 * ndtr(-z / np.sqrt(variance))), "normal")


def _signed_rank_counts(n: int) -> np.ndarray:
    """Return how many of the 2^n sign patterns of n ranks have each sum of positive ranks, 0 to n (n + 1) / 2."""
    counts = np.ones(1)
    for rank in range(1, n + 1):
        grown = np.zeros(len(counts) + rank)
        grown[: len(counts)] = counts
        grown[rank:] += counts
        counts = grown
    return counts


def kruskal_wallis_test(samples: Sequence[Sequence[float]]) -> ChiSquaredRank:
    """Test whether several independent samples have the same location, with correction for ties.

    Args:
        samples: at least two samples of finite numbers.

    Returns:
        A `ChiSquaredRank`. If all values are equal, the statistic is 0 and the p-value is 1.

    Raises:
        ValueError: if there are fewer than two samples, or a sample is empty or has values that are not finite.
    """
    from scipy.stats import kruskal

    if len(samples) < 2:
        raise ValueError(f"`samples` must have at least two samples. Received: {len(samples)}")
    arrays = [_sample(f"samples[{i}]", sample) for i, sample in enumerate(samples)]
    if np.ptp(np.concatenate(arrays)) == 0:
        return ChiSquaredRank(0.0, len(arrays) - 1, 1.0)
    found = kruskal(*arrays)
    return ChiSquaredRank(float(found.statistic), len(arrays) - 1, float(found.pvalue))


def rank_sums_within(
    values: Sequence[float], groups: Sequence[str], strata: Sequence[str] | None = None
) -> tuple[list[StratumRankSum], list[StratumKruskal]]:
    """Compare the levels of a factor by rank sum tests, for every pair of levels within every stratum.

    Args:
        values: n finite numbers.
        groups: level of each value in the factor to compare, length n.
        strata: level of each value in the stratifying factor, length n; None for a single stratum named "all".

    Returns:
        The pairwise tests, and a Kruskal-Wallis test for every stratum with more than two levels.

    Raises:
        ValueError: if lengths differ, a value is not finite or a stratum has only one level.
    """
    samples: dict[str, dict[str, list[float]]] = {}
    strata = ["all"] * len(values) if strata is None else strata
    for value, group, stratum in zip(values, groups, strata, strict=True):
        samples.setdefault(stratum, {}).setdefault(group, []).append(value)
    pairs, several = [], []
    for stratum in factor_levels(strata)[0]:
        found = samples[stratum]
        levels = factor_levels(list(found))[0]
        if len(levels) < 2:
            raise ValueError(f"every stratum must have at least two levels. Received: only {levels[0]} in {stratum}")
        pairs += [(stratum, pair, [found[level] for level in pair]) for pair in combinations(levels, 2)]
        if len(levels) > 2:
            several.append(StratumKruskal(stratum, levels, *kruskal_wallis_test([found[level] for level in levels])))
    tests = [rank_sum_test(*both) for _, _, both in pairs]
    adjusted = adjust_p_values([test.p for test in tests])
    rows = zip(pairs, tests, adjusted, strict=True)
    return [
        StratumRankSum(stratum, pair, (len(both[0]), len(both[1])), test.w, test.p, corrected, test.method)
        for (stratum, pair, both), test, corrected in rows
    ], several


def _sample(name: str, values: Sequence[float]) -> np.ndarray:
    sample = np.asarray(values, dtype=float)
    if sample.ndim != 1 or len(sample) == 0 or not np.isfinite(sample).all():
        raise ValueError(
            f"`{name}` must have at least one value, all finite. Received: {np.ravel(sample)[:5].tolist()}"
        )
    return sample
