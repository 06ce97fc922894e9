"""Rank tests: two samples, pairs, several groups, and many models on many data sets.

Statistics, the choice between exact and normal p-values, and the corrections are those of R's `wilcox.test`,
`kruskal.test` and `friedman.test`. All p-values are two-sided.

Reference: Wilcoxon (1945), Biometrics Bulletin 1(6); Kruskal, Wallis (1952), JASA 47(260); Friedman (1937), JASA
32(200); Nemenyi (1963), Distribution-free Multiple Comparisons; Demsar (2006), JMLR 7, section 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from keras_radtl.stats.mixed_design import factor_levels
from keras_radtl.stats.paired import adjust_p_values

EXACT_BELOW = 50  # R's rule: exact where both samples (or the pairs) are fewer than this, and nothing is tied


class RankSum(NamedTuple):
    """Wilcoxon rank sum test; `w` is R's W: rank sum of the first sample minus n1 (n1 + 1) / 2."""

    w: float
    p: float
    method: str


class SignedRank(NamedTuple):
    """Wilcoxon signed rank test; `v` is R's V: sum of the ranks of positive differences, zeros left out."""

    v: float
    p: float
    method: str


class ChiSquaredRank(NamedTuple):
    """Kruskal-Wallis or Friedman test: statistic, degrees of freedom and p from the chi-squared distribution."""

    statistic: float
    df: int
    p: float


class StratumRankSum(NamedTuple):
    """Rank sum test of two levels of a factor within one stratum; `w` counts for the first level.

    `n` is the number of values of each level; `p_adjusted` is Holm's correction over all tests made together.
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


class Nemenyi(NamedTuple):
    """Nemenyi's comparison of all pairs of models.

    Attributes:
        mean_ranks: float64 (models,), 1 for the largest values; ties share their mean rank.
        p: float64 (models, models), of each pair; 1 on the diagonal.
        critical_difference: mean ranks that differ by more are significant at `alpha`.
        alpha: family-wise level of the critical difference.
    """

    mean_ranks: np.ndarray
    p: np.ndarray
    critical_difference: float
    alpha: float


def rank_sum_test(first: Sequence[float], second: Sequence[float]) -> RankSum:
    """Test whether two independent samples lie at the same place (Wilcoxon, Mann-Whitney).

    p is exact below 50 values a sample without ties, else normal with continuity and tie correction. Where all values
    are equal p is 1 (R gives NaN there).

    Args:
        first: n1 finite numbers.
        second: n2 finite numbers.
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
    """Test whether the differences of pairs are symmetric about zero (Wilcoxon).

    Zero differences are left out. p is exact below 50 pairs without ties and zeros, else normal with continuity and tie
    correction. Where no difference is left p is 1.

    Args:
        first: n finite numbers.
        second: n finite numbers, in the same order.
    """
    from scipy.special import ndtr
    from scipy.stats import rankdata

    x, y = _sample("first", first), _sample("second", second)
    if len(x) != len(y):
        raise ValueError(f"`first` and `second` must be of equal length. Received: {len(x)} and {len(y)}")
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
    """Count the sign patterns of n ranks by their sum of positive ranks, 0 to n (n + 1) / 2."""
    counts = np.ones(1)
    for rank in range(1, n + 1):
        grown = np.zeros(len(counts) + rank)
        grown[: len(counts)] = counts
        grown[rank:] += counts
        counts = grown
    return counts


def kruskal_wallis_test(samples: Sequence[Sequence[float]]) -> ChiSquaredRank:
    """Test whether several independent samples lie at the same place, with correction for ties.

    Args:
        samples: at least two samples of finite numbers. Where all values are equal the statistic is 0 and p is 1.
    """
    from scipy.stats import kruskal

    if len(samples) < 2:
        raise ValueError(f"`samples` must be at least two. Received: {len(samples)}")
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
        groups: n levels of the factor that is compared.
        strata: n levels of the factor within which it is; None: one stratum named "all".

    Returns:
        The tests of pairs, and for every stratum with more than two levels a Kruskal-Wallis test.

    Raises:
        ValueError: if a stratum has values of one level only.
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
            raise ValueError(f"every stratum must have values of two levels. Received: only {levels[0]} in {stratum}")
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


def friedman_test(table) -> ChiSquaredRank:
    """Test whether models differ when each is measured on the same data sets, with correction for ties.

    Args:
        table: float array (data sets, models), at least 2 of each.
    """
    from scipy.special import gammaincc

    ranks = _row_ranks(table)
    blocks, models = ranks.shape
    ties = sum(float((counts**3 - counts).sum()) for counts in (np.unique(r, return_counts=True)[1] for r in ranks))
    scale = blocks * models * (models + 1) - ties / (models - 1)
    if scale == 0:
        return ChiSquaredRank(0.0, models - 1, 1.0)
    sums = ranks.sum(axis=0)
    statistic = 12 * float(np.square(sums - blocks * (models + 1) / 2).sum()) / scale
    return ChiSquaredRank(statistic, models - 1, float(gammaincc((models - 1) / 2, statistic / 2)))


def nemenyi_test(table, alpha: float = 0.05) -> Nemenyi:
    """Compare all pairs of models after a Friedman test, by the studentised range of their mean ranks.

    Args:
        table: float array (data sets, models), at least 2 of each; larger values are better and get smaller ranks.
        alpha: family-wise level in (0, 1) of the critical difference.
    """
    from scipy.stats import studentized_range

    if not 0 < alpha < 1:
        raise ValueError(f"`alpha` must be in (0, 1). Received: alpha={alpha}")
    ranks = _row_ranks(table)
    blocks, models = ranks.shape
    mean_ranks = models + 1 - ranks.mean(axis=0)
    error = np.sqrt(models * (models + 1) / (12 * blocks))
    ranges = np.abs(mean_ranks[:, None] - mean_ranks) / error
    p = np.ones((models, models))
    pairs = np.triu_indices(models, 1)
    p[pairs] = np.clip(studentized_range.sf(ranges[pairs], models, np.inf), 0, 1)
    p.T[pairs] = p[pairs]
    difference = float(studentized_range.ppf(1 - alpha, models, np.inf) * error)
    return Nemenyi(mean_ranks, p, difference, alpha)


def _row_ranks(table) -> np.ndarray:
    from scipy.stats import rankdata

    values = np.asarray(table, dtype=float)
    if values.ndim != 2 or min(values.shape) < 2 or not np.isfinite(values).all():
        raise ValueError(
            f"`table` must be finite numbers of shape (data sets, models), 2 of each or more. Received: {values.shape}"
        )
    return rankdata(values, axis=1)


def _sample(name: str, values: Sequence[float]) -> np.ndarray:
    sample = np.asarray(values, dtype=float)
    if sample.ndim != 1 or len(sample) == 0 or not np.isfinite(sample).all():
        raise ValueError(f"`{name}` must be a list of finite numbers, at least one")
    return sample
