"""A metric with its confidence interval, and the general ways to estimate one.

Proportions and their means have Wilson intervals, other scores the jackknife on a transformed scale, mean losses a
studentized bootstrap. All of them take the groups of the cases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from keras_radtl.stats.intervals import (
    Statistic,
    bootstrap_name,
    bootstrap_samples,
    has_clusters,
    percentile_interval,
)
from keras_radtl.stats.proportions import Proportion, f1_score, mean_of_proportions, proportion
from keras_radtl.stats.resampling import jackknife_intervals, studentized_mean


class Metric(NamedTuple):
    """A metric with its confidence interval, the number of cases, and the method of the interval."""

    value: float | None
    ci_low: float | None
    ci_high: float | None
    n: int
    method: str


class Cases(NamedTuple):
    """How cases are grouped, and how intervals are computed.

    `codes` is the group of each case as an int array of shape (n,) with values 0 to G - 1.
    """

    codes: np.ndarray
    confidence: float
    seed: int = 0
    replicates: int = 2000

    @property
    def clustered(self) -> bool:
        """Whether a group has several cases."""
        return has_clusters(self.codes)

    def subset(self, chosen: np.ndarray) -> Cases:
        """Return the chosen cases, with the groups that they have."""
        return self._replace(codes=np.unique(self.codes[chosen], return_inverse=True)[1].reshape(-1))


def rate(hits: np.ndarray, chosen: np.ndarray, cases: Cases, reason: str = "undefined: no case") -> Metric:
    """Return the share of hits among the chosen cases, with Wilson's interval; both are bool arrays of shape (n,)."""
    if not chosen.any():
        return Metric(None, None, None, 0, reason)
    return _metric([proportion(hits, chosen, *_how(cases))], int(chosen.sum()), "Wilson", cases)


def mean_rate(parts: Sequence[tuple[np.ndarray, np.ndarray]], n: int, cases: Cases, reason: str) -> Metric:
    """Return the mean of several rates, each the pair (hits, chosen) of `rate`."""
    if not all(chosen.any() for _, chosen in parts):
        return Metric(None, None, None, n, reason)
    return _metric([proportion(hits, chosen, *_how(cases)) for hits, chosen in parts], n, "Wilson", cases)


def mean_f1(parts: Sequence[tuple[np.ndarray, np.ndarray]], n: int, cases: Cases, reason: str) -> Metric:
    """Return the mean F1 score of pairs (positive, predicted), bool arrays of shape (n,)."""
    if not all((positive | predicted).any() for positive, predicted in parts):
        return Metric(None, None, None, n, reason)
    found = [f1_score(positive, predicted, *_how(cases)) for positive, predicted in parts]
    return _metric(found, n, "Wilson of the Jaccard index", cases)


def _how(cases: Cases) -> tuple[np.ndarray, float, bool]:
    return cases.codes, cases.confidence, cases.clustered


def _metric(parts: Sequence[Proportion], n: int, name: str, cases: Cases) -> Metric:
    found = mean_of_proportions(parts)
    method = f"{name}{', MOVER' * (len(parts) > 1)}{', clustered' * cases.clustered}"
    return Metric(found.value, found.ci_low, found.ci_high, n, method)


def jackknife_metrics(statistic: Statistic, scales: Mapping[str, str], cases: Cases, reason: str) -> dict[str, Metric]:
    """Estimate several scores at once.

    Args:
        statistic: takes weights of shape (rows, n), returns metrics of shape (rows, len(scales)), NaN where undefined.
        scales: scale of each metric by its name, "logit" or "fisher".
        cases: groups and level.
        reason: `method` of undefined metrics.
    """
    n = len(cases.codes)
    values, intervals = jackknife_intervals(
        statistic, cases.codes, tuple(scales.values()), cases.confidence, cases.clustered, cases.seed
    )
    return {
        name: Metric(None, None, None, n, reason)
        if np.isnan(value)
        else Metric(float(value), interval.ci_low, interval.ci_high, n, interval.method)
        for name, value, interval in zip(scales, values, intervals, strict=True)
    }


def mean_loss(values: np.ndarray, cases: Cases, reason: str = "undefined", highest: float = np.inf) -> Metric:
    """Return the mean of losses, an array of shape (n,), or (n, k) for the mean of k means; NaN where unknown.

    `highest` is the highest possible loss of a case, the limit of the interval.
    """
    values = values.reshape(len(values), -1)
    if np.isnan(values).all(axis=0).any():
        return Metric(None, None, None, len(values), reason)
    value, interval = studentized_mean(values, *_how(cases), cases.replicates, cases.seed, highest)
    return Metric(value, interval.ci_low, interval.ci_high, len(values), interval.method)


def bootstrap_metric(statistic: Statistic, cases: Cases) -> Metric:
    """Estimate a metric with a percentile interval; `statistic` maps weights of shape (rows, n) to shape (rows,)."""
    n = len(cases.codes)
    samples = bootstrap_samples(statistic, cases.codes, cases.replicates, cases.seed)
    found = percentile_interval(samples, cases.confidence, bootstrap_name(cases.clustered, cases.replicates))
    return Metric(float(statistic(np.ones((1, n)))[0]), found.ci_low, found.ci_high, n, found.method)
