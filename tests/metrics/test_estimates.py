"""Metrics with confidence intervals: proportions against scipy, bootstraps against the single-statistic bootstrap."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from keras_radtl.metrics.estimates import bootstrap_metrics, proportion
from keras_radtl.stats.intervals import bootstrap_interval, group_codes


def test_proportion_has_wilsons_interval():
    found = proportion(np.array([True] * 7 + [False] * 5), 0.9)
    expected = binomtest(7, 12).proportion_ci(0.9, method="wilson")
    assert found == (7 / 12, pytest.approx(expected.low), pytest.approx(expected.high), 12, "Wilson")


def test_proportion_without_cases_is_undefined_with_the_reason():
    assert proportion(np.zeros(0, bool), 0.95, "undefined: no positive case") == (
        *(None, None, None),
        0,
        "undefined: no positive case",
    )


@pytest.mark.parametrize("groups", [None, np.arange(40) // 4], ids=["cases", "groups"])
def test_metrics_estimated_together_equal_metrics_estimated_separately(groups):
    values = np.random.default_rng(0).normal(size=(40, 2))

    def means(weights):
        return weights @ values / weights.sum(axis=1, keepdims=True)

    codes = group_codes(40, groups)
    found = bootstrap_metrics(means, ("first", "second"), codes, "undefined", seed=3, confidence=0.8, replicates=200)
    for k, name in enumerate(("first", "second")):
        expected = bootstrap_interval(lambda weights, k=k: means(weights)[:, k], 40, groups, 0.8, 200, seed=3)
        assert found[name] == (
            pytest.approx(values[:, k].mean()),
            expected.ci_low,
            expected.ci_high,
            40,
            expected.method,
        )


def test_undefined_metric_has_the_given_reason():
    def statistic(weights):
        return np.stack([weights.mean(axis=1), np.full(len(weights), np.nan)], axis=1)

    found = bootstrap_metrics(statistic, ("weight", "nothing"), np.arange(5), "undefined: no case", 0, 0.95, 50)
    assert found["nothing"] == (None, None, None, 5, "undefined: no case")
    assert (found["weight"].value, found["weight"].ci_low) == (1.0, None)
    assert found["weight"].method == "no interval: all bootstrap samples are equal"
