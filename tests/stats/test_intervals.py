"""Confidence intervals against R (tests/reference/paired.R), scipy, statsmodels and simulated coverage."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from keras_radtl.stats import intervals
from keras_radtl.stats.intervals import (
    bootstrap_interval,
    bootstrap_weights,
    group_codes,
    percentile_interval,
    wilson_interval,
)

REFERENCE = Path(__file__).parents[1] / "reference"


def mean_of(values):
    """Return the weighted mean of values as a bootstrap statistic."""
    return lambda weights: weights @ values / weights.sum(axis=1)


with open(REFERENCE / "wilson.csv", newline="") as file:
    WILSON = list(csv.DictReader(file))


@pytest.mark.parametrize("row", WILSON, ids=lambda row: f"{row['successes']}-{row['n']}-{row['level']}")
def test_wilson_interval_matches_r_and_statsmodels(row):
    successes, n, level = int(row["successes"]), int(row["n"]), float(row["level"])
    found = wilson_interval(successes, n, level)
    assert found[:2] == pytest.approx((float(row["ci_low"]), float(row["ci_high"])), abs=1e-12)
    assert found[:2] == pytest.approx(proportion_confint(successes, n, 1 - level, "wilson"), abs=1e-12)


def test_wilson_interval_without_cases_is_undefined():
    assert wilson_interval(0, 0) == (None, None, "undefined: no case")


def test_weights_count_how_often_each_group_is_drawn():
    codes = group_codes(6, ["b", "a", "b", "c", "c", "c"])
    weights = next(bootstrap_weights(codes, 50, seed=0))
    assert weights.shape == (50, 6)
    assert (weights[:, 0] == weights[:, 2]).all() and (weights[:, 3] == weights[:, 5]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()  # each sample draws three groups


def test_weights_do_not_depend_on_the_block_size(monkeypatch):
    codes = np.arange(11)
    together = np.concatenate(list(bootstrap_weights(codes, 40, seed=3)))
    monkeypatch.setattr(intervals, "BLOCK_VALUES", 3 * 11)
    apart = np.concatenate(list(bootstrap_weights(codes, 40, seed=3)))
    np.testing.assert_array_equal(together, apart)


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_interval_of_a_skewed_mean_matches_scipy(method):
    values = np.random.default_rng(0).exponential(size=60)
    found = bootstrap_interval(mean_of(values), 60, replicates=20_000, method=method)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method=method.replace("bca", "BCa"), rng=np.random.default_rng(1)
    ).confidence_interval
    assert found[:2] == pytest.approx(tuple(expected), abs=0.012)  # Monte Carlo error of both


def test_bca_interval_of_a_biased_variance_matches_scipy():
    values = np.random.default_rng(0).exponential(size=40)

    def variance(weights):
        return weights @ values**2 / 40 - (weights @ values / 40) ** 2

    plain = bootstrap_interval(variance, 40, replicates=20_000)
    found = bootstrap_interval(variance, 40, replicates=20_000, method="bca")
    generator = np.random.default_rng(1)
    expected = stats.bootstrap((values,), np.var, n_resamples=20_000, method="BCa", rng=generator).confidence_interval
    assert found[:2] == pytest.approx(tuple(expected), rel=0.05)
    assert found.ci_high > 1.15 * plain.ci_high


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_resampling_groups_gives_the_nominal_coverage_of_clustered_cases(method):
    generator = np.random.default_rng(2)
    groups, covered = np.repeat(np.arange(40), 4), {"cases": 0, "groups": 0}
    for seed in range(100):
        values = np.repeat(generator.normal(size=40), 4) + 0.3 * generator.normal(size=160)
        for name, given in (("cases", None), ("groups", groups)):
            low, high, _ = bootstrap_interval(mean_of(values), 160, given, replicates=300, seed=seed, method=method)
            covered[name] += low <= 0 <= high
    assert covered["groups"] >= 86
    assert covered["cases"] <= 80


def test_the_same_seed_gives_the_same_interval():
    values = np.arange(20.0)
    assert bootstrap_interval(mean_of(values), 20, seed=4) == bootstrap_interval(mean_of(values), 20, seed=4)
    assert bootstrap_interval(mean_of(values), 20, seed=4) != bootstrap_interval(mean_of(values), 20, seed=5)


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_missing_interval_is_none_with_the_reason(method):
    assert "equal" in bootstrap_interval(mean_of(np.ones(9)), 9, method=method).method
    rare = bootstrap_interval(lambda weights: np.where(weights[:, 0] > 0, 1.0, np.nan), 9, method=method)
    assert rare[:2] == (None, None)
    assert "undefined in" in rare.method


def test_a_few_undefined_samples_are_ignored():
    found = percentile_interval(np.append(np.linspace(0, 1, 101), [np.nan] * 5))
    assert found[:2] == pytest.approx((0.025, 0.975))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bootstrap_interval(mean_of(np.ones(3)), 3, method="basic"), "`method` must be 'percentile' or 'bca'"),
        (lambda: group_codes(3, ["a", "b"]), "one entry per case"),
        (lambda: group_codes(3, ["a", "", "b"]), "`groups` must not be empty. Received: '' for case 1, from 0"),
        (lambda: group_codes(3, ["a", None, None]), "`groups` must not be empty. Received: None for case 1 and 1 more"),
        (lambda: group_codes(2, [1.0, np.nan]), "`groups` must not be empty"),
        (lambda: group_codes(2, ["a", " "]), "`groups` must not be empty"),
        (lambda: bootstrap_interval(mean_of(np.ones(0)), 0), "`n` must be at least 1"),
    ],
)
def test_invalid_input_raises(call, message):
    with pytest.raises(ValueError, match=message):
        call()
