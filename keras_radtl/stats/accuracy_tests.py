"""Tests of equal accuracy on the same cases: McNemar's for two classifiers, Cochran's Q for more, and both for groups.

With groups, cases of a group may depend on each other, and the unit is the group: d is the number of cases that only a
predicts correctly minus the number that only b predicts correctly. McNemar's test becomes (sum of d)^2 / (sum of d^2),
its exact form the distribution of the sum of d under random signs, and Cochran's Q becomes Hotelling's T-squared of the
differences to the first model. If each group has one case, both forms of McNemar's test are the ordinary ones.

Reference: McNemar, Psychometrika 12 (1947) 153-157; Edwards, Psychometrika 13 (1948) 185-187 for the continuity
correction; Cochran, Biometrika 37 (1950) 256-266; Durkalski et al., Statistics in Medicine 22 (2003) 2417-2428 and
Obuchowski, Statistics in Medicine 17 (1998) 1495-1507 for groups; Hotelling, Annals of Mathematical Statistics 2 (1931)
360-378.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from keras_radtl.stats.delong_tests import hotelling_p
from keras_radtl.stats.intervals import group_codes

MCNEMAR_METHODS = ("corrected", "chi2", "exact")


class McNemar(NamedTuple):
    """McNemar's test: `only_a` cases are correct in a only, `only_b` in b only; the exact test has no statistic."""

    only_a: int
    only_b: int
    statistic: float | None
    p: float
    method: str


class CochranQ(NamedTuple):
    """Joint test of equal accuracies with its degrees of freedom and p-value.

    `statistic` is Cochran's Q, or Hotelling's T-squared with groups; without a test, it and `p` are None and `method`
    gives the reason.
    """

    statistic: float | None
    df: int
    p: float | None
    method: str


def mcnemar(
    targets: ArrayLike,
    predicted_a: ArrayLike,
    predicted_b: ArrayLike,
    method: str = "corrected",
    groups: ArrayLike | None = None,
) -> McNemar:
    """Test whether two classifiers have the same accuracy on the same cases.

    With b and c the numbers of cases that only one classifier predicts correctly: "corrected" is the chi-squared test
    with continuity correction, (|b - c| - 1)^2 / (b + c), where the statistic is 0 if b = c, as in R; "chi2" is
    (b - c)^2 / (b + c); "exact" is the binomial test. With groups, b + c is replaced by the sum over groups of their
    squared differences, and the binomial test by the exact distribution under random signs of these differences.

    Args:
        targets: class index of each case, shape (n,).
        predicted_a: predicted class index of each case, shape (n,).
        predicted_b: predicted class index of each case, shape (n,), in the same order of cases.
        method: "corrected", "chi2" or "exact".
        groups: group id (for example the patient) of each case, shape (n,); None if all cases are independent.

    Returns:
        A `McNemar`. If no case is discordant, the p-value is 1.

    Raises:
        ValueError: if lengths differ, a group id is empty or `method` is unknown.
    """
    targets, predicted_a, predicted_b = (np.asarray(values) for values in (targets, predicted_a, predicted_b))
    if not targets.shape == predicted_a.shape == predicted_b.shape or targets.ndim != 1:
        raise ValueError(
            "`predicted_a` and `predicted_b` must have one entry per target. "
            f"Received: {predicted_a.shape}, {predicted_b.shape} and {targets.shape}"
        )
    right_a, right_b = predicted_a == targets, predicted_b == targets
    only_a, only_b = int(np.sum(right_a & ~right_b)), int(np.sum(right_b & ~right_a))
    if groups is None:
        return mcnemar_counts(only_a, only_b, method)
    _check_method(method)
    differences = np.bincount(group_codes(len(targets), groups), right_a.astype(float) - right_b).astype(np.int64)
    if method == "exact":
        return McNemar(only_a, only_b, None, _random_signs(differences), "exact, clustered")
    statistic, p = _chi_squared(only_a - only_b, int(np.sum(differences**2)), method)
    return McNemar(only_a, only_b, statistic, p, f"{method}, clustered")


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
    from scipy.stats import binomtest

    _check_method(method)
    total = only_a + only_b
    if method == "exact":
        return McNemar(only_a, only_b, None, float(binomtest(only_a, total).pvalue) if total else 1.0, method)
    return McNemar(only_a, only_b, *_chi_squared(only_a - only_b, total, method), method)


def _check_method(method: str) -> None:
    if method not in MCNEMAR_METHODS:
        raise ValueError(f"`method` must be one of {', '.join(MCNEMAR_METHODS)}. Received: method={method!r}")


def _chi_squared(difference: int, squares: int, method: str) -> tuple[float, float]:
    from scipy.special import chdtrc

    gap = max(abs(difference) - 1, 0) if method == "corrected" else abs(difference)
    statistic = gap**2 / squares if squares else 0.0
    return statistic, float(chdtrc(1, statistic))


def _random_signs(differences: np.ndarray) -> float:
    """Return the probability that a sum with random signs is as far from 0 as the sum of the differences."""
    from scipy.signal import fftconvolve
    from scipy.stats import binom

    sizes, counts = np.unique(np.abs(differences[differences != 0]), return_counts=True)
    chances = np.ones(1)  # of the sums -T, -T + 1, ..., T
    for size, count in zip(sizes, counts, strict=True):
        step = np.zeros(2 * size * count + 1)
        step[:: 2 * size] = binom.pmf(np.arange(count + 1), count, 0.5)
        chances = step if len(chances) == 1 else fftconvolve(chances, step)
    sums = np.abs(np.arange(len(chances)) - len(chances) // 2)
    return float(min(1.0, np.sum(chances[sums >= abs(int(differences.sum()))])))


def cochran_q(right: ArrayLike, groups: ArrayLike | None = None) -> CochranQ:
    """Test whether several classifiers have the same accuracy on the same cases (Cochran's Q test).

    With groups, Hotelling's T-squared of the groups' differences to the first model replaces Q.

    Args:
        right: 0/1 or bool array of shape (n_cases, n_models), 1 where the prediction is correct; at least two models.
        groups: group id (for example the patient) of each case, shape (n_cases,); None if all cases are independent.

    Returns:
        A `CochranQ`. If the models agree on every case, the statistic is 0 and the p-value is 1.

    Raises:
        ValueError: if there are fewer than two models, entries other than 0 and 1 or an empty group id.
    """
    from scipy.special import chdtrc

    right = np.asarray(right)
    if right.ndim != 2 or right.shape[1] < 2 or not np.isin(right, (0, 1)).all():
        raise ValueError(
            "`right` must be a 0/1 array of shape (n_cases, n_models) with at least two models. "
            f"Received: shape {right.shape}, values {np.unique(right)[:5].tolist()}"
        )
    if groups is not None:
        return _clustered_q(right.astype(np.float64), group_codes(len(right), groups))
    models = right.shape[1]
    by_case, by_model = right.sum(axis=1, dtype=np.int64), right.sum(axis=0, dtype=np.int64)
    denominator = int(models * by_case.sum() - np.sum(by_case**2))
    if denominator == 0:
        return CochranQ(0.0, models - 1, 1.0, "Cochran's Q")
    numerator = (models - 1) * int(models * np.sum(by_model**2) - by_model.sum() ** 2)
    statistic = numerator / denominator
    return CochranQ(statistic, models - 1, float(chdtrc(models - 1, statistic)), "Cochran's Q")


def _clustered_q(right: np.ndarray, codes: np.ndarray) -> CochranQ:
    """Return Hotelling's T-squared of the groups' differences to the first model."""
    name, count = "Hotelling's T-squared, clustered", int(codes.max()) + 1
    sums = np.stack([np.bincount(codes, column, count) for column in (right[:, 1:] - right[:, :1]).T])
    total, centred = sums.sum(axis=1), sums - sums.mean(axis=1, keepdims=True)
    if not sums.any():
        return CochranQ(0.0, right.shape[1] - 1, 1.0, name)
    if count < 2:
        return CochranQ(None, right.shape[1] - 1, None, "no test: only one group")
    values, vectors = np.linalg.eigh(centred @ centred.T * count / (count - 1))
    kept = values > values.max() * 1e-12
    projected = vectors.T @ total
    df = int(kept.sum()) if values.max() > 0 else 0
    if df == 0 or np.abs(projected[~kept]).max(initial=0.0) > 1e-8 * np.abs(total).max():
        return CochranQ(None, right.shape[1] - 1, None, "no test: models differ equally in all groups")
    if df >= count:
        return CochranQ(None, df, None, f"no test: {count} groups for {right.shape[1]} models")
    statistic = float(np.sum(projected[kept] ** 2 / values[kept]))
    return CochranQ(statistic, df, hotelling_p(statistic, df, count - 1), name)
