"""Permutation test of two classifiers on the same cases, and adjustment of p-values for multiple testing.

Reference: Phipson and Smyth, Statistical Applications in Genetics 9 (2010) for permutation tests; Holm, Scandinavian
Journal of Statistics 6 (1979) 65-70; Benjamini and Hochberg, JRSS B 57 (1995) 289-300.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from keras_radtl.stats.intervals import group_codes

P = TypeVar("P", float, float | None)


class Permutation(NamedTuple):
    """The observed difference (a - b) of a statistic and its two-sided permutation p-value."""

    difference: float
    p: float
    permutations: int


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
