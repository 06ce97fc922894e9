"""A metric with its confidence interval, and the two general ways to estimate one: proportions and the bootstrap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from keras_radtl.stats.intervals import (
    Statistic,
    bootstrap_name,
    bootstrap_samples,
    percentile_interval,
    wilson_interval,
)


class Metric(NamedTuple):
    """A metric with its confidence interval, the number of cases, and the method of the interval."""

    value: float | None
    ci_low: float | None
    ci_high: float | None
    n: int
    method: str


def bootstrap_metrics(
    statistic: Statistic,
    names: Sequence[str],
    codes: np.ndarray,
    reason: str,
    seed: int,
    confidence: float,
    replicates: int,
) -> dict[str, Metric]:
    """Estimate several metrics at once, each with a bootstrap confidence interval.

    Args:
        statistic: takes weights of shape (rows, n), returns metrics of shape (rows, len(names)), NaN where undefined.
        names: names of the metrics.
        codes: group code of each case, int array of shape (n,) with values 0 to G - 1.
        reason: `method` of undefined metrics.
        seed: random seed.
        confidence: confidence level in (0, 1).
        replicates: number of bootstrap samples.

    Returns:
        A `Metric` by name.
    """
    n = len(codes)
    words = bootstrap_name(int(codes.max()) + 1 < n, replicates)
    values = statistic(np.ones((1, n)))[0]
    samples = bootstrap_samples(statistic, codes, replicates, seed)
    found = {}
    for name, value, column in zip(names, values, samples.T, strict=True):
        if np.isnan(value):
            found[name] = Metric(None, None, None, n, reason)
        else:
            interval = percentile_interval(column, confidence, words)
            found[name] = Metric(float(value), interval.ci_low, interval.ci_high, n, interval.method)
    return found


def proportion(hits: np.ndarray, confidence: float, if_empty: str = "undefined: no case") -> Metric:
    """Return the share of True among independent cases, a bool array of shape (n,), with Wilson's interval."""
    if len(hits) == 0:
        return Metric(None, None, None, 0, if_empty)
    interval = wilson_interval(int(hits.sum()), len(hits), confidence)
    return Metric(float(hits.mean()), interval.ci_low, interval.ci_high, len(hits), interval.method)
