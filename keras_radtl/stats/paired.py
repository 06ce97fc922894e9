"""Paired tests of classifiers on the same cases, and adjustment of p-values for multiple testing.

Reference: McNemar, Psychometrika 12 (1947) 153-157; Edwards, Psychometrika 13 (1948) 185-187 for the continuity
correction; Cochran, Biometrika 37 (1950) 256-266; Phipson and Smyth, Statistical Applications in Genetics 9 (2010) for
permutation tests; Holm, Scandinavian Journal of Statistics 6 (1979) 65-70; Benjamini and Hochberg, JRSS B 57 (1995)
289-300.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from keras_radtl.stats.intervals import group_codes

MCNEMAR_METHODS = ("corrected", "chi2", "exact")

P = TypeVar("P", float, float | None)


class McNemar(NamedTuple):
    """McNemar's test: `only_a` cases are correct in a only, `only_b` in b only; the exact test has no statistic."""

    only_a: int
    only_b: int
    statistic: float | None
    p: float
    method: str


class CochranQ(NamedTuple):
    """Cochran's Q with its degrees of freedom (models - 1) and p-value."""

    statistic: float
    df: int
    p: float


class Permutation(NamedTuple):
    """The observed difference (a - b) of a statistic and its two-sided permutation p-value."""

    difference: float
    p: float
    permutations: int


def mcnemar(targets: ArrayLike, predicted_a: ArrayLike, predicted_b: ArrayLike, method: str = "corrected") -> McNemar:
    """Test whether two classifiers have the same accuracy on the same cases.

    With b and c the numbers of cases that only one classifier predicts correctly: "corrected" is the chi-squared test
    with continuity correction, (|b - c| - 1)^2 / (b + c), where the statistic is 0 if b = c, as in R; "chi2" is
    (b - c)^2 / (b + c); "exact" is the binomial test.

    Args:
        targets: class index of each case, shape (n,).
        predicted_a: predicted class index of each case, shape (n,).
        predicted_b: predicted class index of each case, shape (n,), in the same order of cases.
        method: "corrected", "chi2" or "exact".

    Returns:
        A `McNemar`. If b = c = 0, the p-value is 1.

    Raises:
        ValueError: if lengths differ or `method` is unknown.
    """
    targets, predicted_a, predicted_b = (np.asarray(values) for values in (targets, predicted_a, predicted_b))
    if not targets.shape == predicted_a.shape == predicted_b.shape or targets.ndim != 1:
        raise ValueError(
            "`predicted_a` and `predicted_b` must have one entry per target. "
            f"Received: {predicted_a.shape}, {predicted_b.shape} and {targets.shape}"
        )
    right_a, right_b = predicted_a == targets, predicted_b == targets
    return mcnemar_counts(int(np.sum(right_a & ~right_b)), int(np.sum(right_b & ~right_a)), method)


def mcnemar_counts(only_a: int, only_b: int, method: str = "corrected") -> McNemar:
    """Run McNemar's test on the two counts of discordant cases; see `mcnemar` for the methods.

    Args:
        only_a: number of cases that only classifier a predicts correctly.
        only_b: number of cases that only classifier b predicts correctly.
        method: "corrected", "chi2" or "exact".

    Returns:
        A `McNemar`. If both counts are 0, the p-value is 1.

    Raises:
        ValueError: if `method` is unknown.
    """
    from scipy.special import chdtrc
    from scipy.stats import binomtest

    if method not in MCNEMAR_METHODS:
        raise ValueError(f"`method` must be one of {', '.join(MCNEMAR_METHODS)}. Received: method={method!r}")
    total, gap = only_a + only_b, abs(only_a - only_b)
    if method == "exact":
        return McNemar(only_a, only_b, None, float(binomtest(only_a, total).pvalue) if total else 1.0, method)
    if method == "corrected":
        gap = max(gap - 1, 0)
    statistic = gap**2 / total if total else 0.0
    return McNemar(only_a, only_b, statistic, float(chdtrc(1, statistic)), method)


def cochran_q(right: ArrayLike) -> CochranQ:
    """Test whether several classifiers have the same accuracy on the same cases (Cochran's Q test).

    Args:
        right: 0/1 or bool array of shape (n_cases, n_models), 1 where the prediction is correct; at least two models.

    Returns:
        A `CochranQ`. If the models agree on every case, the statistic is 0 and the p-value is 1.

    Raises:
        ValueError: if there are fewer than two models or entries other than 0 and 1.
    """
    from scipy.special import chdtrc

    right = np.asarray(right)
    if right.ndim != 2 or right.shape[1] < 2 or not np.isin(right, (0, 1)).all():
        raise ValueError(
            "`right` must be a 0/1 array of shape (n_cases, n_models) with at least two models. "
            f"Received: shape {right.shape}, values {np.unique(right)[:5].tolist()}"
        )
    models = right.shape[1]
    by_case, by_model = right.sum(axis=1, dtype=np.int64), right.sum(axis=0, dtype=np.int64)
    denominator = int(models * by_case.sum() - np.sum(by_case**2))
    if denominator == 0:
        return CochranQ(0.0, models - 1, 1.0)
    numerator = (models - 1) * int(models * np.sum(by_model**2) - by_model.sum() ** 2)
    statistic = numerator / denominator
    return CochranQ(statistic, models - 1, float(chdtrc(models - 1, statistic)))


def permutation_test(
    statistic: Callable[[np.ndarray, np.ndarray], float],
    targets: ArrayLike,
    values_a: ArrayLike,
    values_b: ArrayLike,
    groups: ArrayLike | None = None,
    permutations: int = 10_000,
    seed: int = 0,
) -> Permutation:
    """Test the paired difference of any statistic by swapping the values of two models case by case.

    Swapping mixes the values of both models, so they must be on the same scale: pass predicted classes, probabilities,
    or ranks of scores (`scipy.stats.rankdata`) to compare AUCs. If there are at most `permutations` distinct swaps, all
    of them are evaluated and the p-value is exact.

    Args:
        statistic: takes the targets and the values of one model, returns a number.
        targets: array of shape (n,), passed to `statistic`.
        values_a: array of shape (n, ...).
        values_b: array of the same shape, in the same order of cases.
        groups: group id (for example the patient) of each case, shape (n,), to swap the cases of a group together; None
            if all cases are independent.
        permutations: number of random swaps.
        seed: random seed.

    Returns:
        A `Permutation` with the observed difference, the two-sided p-value and the number of swaps evaluated.

    Raises:
        ValueError: if lengths or shapes differ.
    """
    from scipy.stats import permutation_test as scipy_permutation_test

    targets, values_a, values_b = np.asarray(targets), np.asarray(values_a), np.asarray(values_b)
    if values_a.shape != values_b.shape or len(values_a) != len(targets):
        raise ValueError(
            "`values_a` and `values_b` must have one entry per target. "
            f"Received: {values_a.shape}, {values_b.shape} and {targets.shape}"
        )
    codes = group_codes(len(targets), groups)
    count = int(codes.max()) + 1

    def difference(exchanged: np.ndarray, _: np.ndarray) -> float:
        flags = exchanged[codes].astype(bool).reshape(-1, *[1] * (values_a.ndim - 1))
        mixed_a, mixed_b = np.where(flags, values_b, values_a), np.where(flags, values_a, values_b)
        return statistic(targets, mixed_a) - statistic(targets, mixed_b)

    found = scipy_permutation_test(
        (np.zeros(count), np.ones(count)),
        difference,
        permutation_type="samples",
        vectorized=False,
        n_resamples=permutations,
        rng=np.random.default_rng(seed),
    )
    return Permutation(float(found.statistic), float(found.pvalue), len(found.null_distribution))


def _holm(p_values: np.ndarray) -> np.ndarray:
    """Multiply the i-th smallest of n p-values by n - i + 1 and keep the sequence nondecreasing."""
    order = np.argsort(p_values)
    factors = np.arange(len(order), 0, -1)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(factors * p_values[order]))
    return adjusted


def _benjamini_hochberg(p_values: np.ndarray) -> np.ndarray:
    """Multiply the i-th smallest of n p-values by n / i and keep the sequence nondecreasing."""
    order = np.argsort(p_values)[::-1]
    factors = len(order) / np.arange(len(order), 0, -1)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(1, np.minimum.accumulate(factors * p_values[order]))
    return adjusted


ADJUSTMENTS = {"holm": _holm, "benjamini-hochberg": _benjamini_hochberg}


def adjust_p_values(p_values: Sequence[P], method: str = "holm") -> list[P]:
    """Adjust p-values for multiple testing.

    Args:
        p_values: p-values in [0, 1]. None marks a test that is undefined; it stays None and does not count as a test.
        method: "holm" (controls the family-wise error rate) or "benjamini-hochberg" (controls the false discovery
            rate).

    Returns:
        The adjusted p-values in the order of `p_values`.

    Raises:
        ValueError: if `method` is unknown or a p-value is outside [0, 1].
    """
    if method not in ADJUSTMENTS:
        raise ValueError(f"`method` must be one of {', '.join(ADJUSTMENTS)}. Received: method={method!r}")
    known = [p for p in p_values if p is not None]
    if not all(0 <= p <= 1 for p in known):
        raise ValueError(f"`p_values` must be in [0, 1]. Received: p_values={list(p_values)}")
    adjusted = iter(ADJUSTMENTS[method](np.array(known, dtype=np.float64)).tolist())
    return [p if p is None else next(adjusted) for p in p_values]
