"""Comparison of several models on several data sets: Friedman test and Nemenyi's test of all pairs.

The Friedman statistic and its tie correction follow R's `friedman.test`.

Reference: Friedman (1937), JASA 32(200); Nemenyi (1963), Distribution-free Multiple Comparisons; Demsar (2006), JMLR 7,
section 3.2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from keras_radtl.stats.ranks import ChiSquaredRank


class Nemenyi(NamedTuple):
    """Nemenyi's test of all pairs of models.

    Attributes:
        mean_ranks: float64 array of shape (models,); rank 1 is the largest value, ties get their mean rank.
        p: float64 array of shape (models, models), p-value of each pair; 1 on the diagonal.
        critical_difference: two models differ significantly if their mean ranks differ by more than this.
        alpha: family-wise error rate of the critical difference.
    """

    mean_ranks: np.ndarray
    p: np.ndarray
    critical_difference: float
    alpha: float


def friedman_test(table: ArrayLike) -> ChiSquaredRank:
    """Test whether models differ when all are evaluated on the same data sets, with correction for ties.

    Args:
        table: float array of shape (data sets, models), at least 2 of each.

    Returns:
        A `ChiSquaredRank`. If all models tie on every data set, the statistic is 0 and the p-value is 1.

    Raises:
        ValueError: if the shape is wrong or a value is not finite.
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


def nemenyi_test(table: ArrayLike, alpha: float = 0.05) -> Nemenyi:
    """Compare all pairs of models after a Friedman test, by the studentized range of their mean ranks.

    Args:
        table: float array of shape (data sets, models), at least 2 of each; larger values are better and get smaller
            ranks.
        alpha: family-wise error rate of the critical difference, in (0, 1).

    Returns:
        A `Nemenyi`.

    Raises:
        ValueError: if `alpha` is out of range, the shape is wrong or a value is not finite.
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


def _row_ranks(table: ArrayLike) -> np.ndarray:
    from scipy.stats import rankdata

    values = np.asarray(table, dtype=float)
    if values.ndim != 2 or min(values.shape) < 2 or not np.isfinite(values).all():
        raise ValueError(
            "`table` must have finite values and shape (data sets, models), at least 2 of each. "
            f"Received: shape {values.shape}"
        )
    return rankdata(values, axis=1)
