"""Tests of classifiers on the same cases, and corrections for several tests.

Reference: McNemar, Psychometrika 12 (1947) 153-157; Edwards, Psychometrika 13 (1948) 185-187 for the continuity
correction; Cochran, Biometrika 37 (1950) 256-266; Phipson and Smyth, Statistical Applications in Genetics 9 (2010) for
p-values of permutations; Holm, Scandinavian Journal of Statistics 6 (1979) 65-70; Benjamini and Hochberg, JRSS B 57
(1995) 289-300.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from keras_radtl.stats.intervals import group_codes

MCNEMAR_METHODS = ("corrected", "chi2", "exact")
ADJUSTMENTS = {"holm": "holm", "benjamini-hochberg": "fdr_bh"}


class McNemar(NamedTuple):
    """McNemar's test: `only_a` cases are right by a alone, `only_b` by b alone; the exact test has no statistic."""

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


def mcnemar(targets, predicted_a, predicted_b, method: str = "corrected") -> McNemar:
    """Test whether two classifiers are right equally often on the same cases.

    `corrected` is chi-squared with continuity correction, (|b - c| - 1)^2 / (b + c), and 0 where b = c as in R (the
    plain formula would give 1 / (b + c) there); `chi2` is (b - c)^2 / (b + c); `exact` is the binomial test. With no
    case on which they differ in being right, p is 1.

    Args:
        targets: class index of each case, shape (n,).
        predicted_a: predicted class index, shape (n,).
        predicted_b: predicted class index, shape (n,), in the same case order.
        method: "corrected", "chi2" or "exact".

    Raises:
        ValueError: on unequal lengths or an unknown method.
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
    """Run McNemar's test on the two counts of cases that one classifier alone has right (see `mcnemar`)."""
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


def cochran_q(right) -> CochranQ:
    """Test whether several classifiers are right equally often on the same cases.

    Args:
        right: 0/1 or bool array of shape (n_cases, n_models), 1 where the model is right; at least two models.

    Returns:
        A `CochranQ`; where every case is right by all or by none, the statistic is 0 and p is 1.

    Raises:
        ValueError: on fewer than two models or other entries than 0 and 1.
    """
    from scipy.special import chdtrc

    right = np.asarray(right)
    if right.ndim != 2 or right.shape[1] < 2 or not np.isin(right, (0, 1)).all():
        raise ValueError(
            "`right` must be a 0/1 array of shape (n_cases, n_models) with two models or more. "
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
    targets,
    values_a,
    values_b,
    groups=None,
    permutations: int = 10_000,
    seed: int = 0,
) -> Permutation:
    """Test a paired difference of any statistic by exchanging the two models' values case by case.

    Both models' values must live on one scale, since they are mixed: pass predictions or probabilities, or ranks of
    scores (scipy.stats.rankdata) to compare AUCs. All exchanges are gone through when there are no more than
    `permutations` of them.

    Args:
        statistic: takes targets and values of one model, returns a number.
        targets: array of shape (n,) handed to `statistic`.
        values_a: array of shape (n, ...).
        values_b: array of the same shape, in the same case order.
        groups: None, or n ids: cases of a group (patient) are exchanged together.
        permutations: number of random exchanges.
        seed: of the exchanges.
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


def adjust_p_values(p_values: Sequence[float | None], method: str = "holm") -> list[float | None]:
    """Correct p-values for their number: `holm` (any error) or `benjamini-hochberg` (false discovery rate).

    A p-value of None (a test that could not be made) stays None and is not counted.

    Raises:
        ValueError: on an unknown method or a p-value outside [0, 1].
    """
    from statsmodels.stats.multitest import multipletests

    if method not in ADJUSTMENTS:
        raise ValueError(f"`method` must be one of {', '.join(ADJUSTMENTS)}. Received: method={method!r}")
    known = [p for p in p_values if p is not None]
    if not all(0 <= p <= 1 for p in known):
        raise ValueError(f"`p_values` must be in [0, 1]. Received: p_values={list(p_values)}")
    adjusted = iter(multipletests(known, method=ADJUSTMENTS[method])[1] if known else ())
    return [None if p is None else float(next(adjusted)) for p in p_values]
