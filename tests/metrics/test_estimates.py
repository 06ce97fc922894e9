"""Metrics with intervals: each is that of `stats`, over the cases and groups that it uses."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from keras_radtl.metrics.estimates import (
    Cases,
    bootstrap_metric,
    jackknife_metrics,
    mean_f1,
    mean_loss,
    mean_rate,
    rate,
)
from keras_radtl.stats.intervals import bootstrap_interval
from keras_radtl.stats.proportions import clustered_wilson_interval

ALL = np.ones(12, bool)
HITS = np.array([True] * 7 + [False] * 5)
SINGLE, PAIRS = Cases(np.arange(12), 0.9), Cases(np.arange(12) // 2, 0.9)


def test_rate_has_wilsons_interval_of_the_chosen_cases():
    found = rate(HITS, ALL, SINGLE)
    expected = binomtest(7, 12).proportion_ci(0.9, method="wilson")
    assert found == (7 / 12, pytest.approx(expected.low), pytest.approx(expected.high), 12, "Wilson")
    chosen = np.arange(12) < 9
    clustered = rate(HITS, chosen, PAIRS)
    assert clustered[1:3] == pytest.approx(clustered_wilson_interval(HITS[:9], np.arange(9) // 2, 0.9)[:2])
    assert (clustered.n, clustered.method) == (9, "Wilson, clustered")


@pytest.mark.parametrize(
    "call",
    [
        lambda: rate(HITS, ~ALL, SINGLE, "why"),
        lambda: mean_rate([(HITS, ALL), (HITS, ~ALL)], 12, SINGLE, "why"),
        lambda: mean_f1([(~ALL, ~ALL)], 12, SINGLE, "why"),
        lambda: mean_loss(np.full((12, 2), np.nan), SINGLE, "why"),
    ],
)
def test_without_cases_a_metric_is_undefined_with_the_reason(call):
    assert call()[:3] == (None, None, None) and call().method == "why"


def test_means_name_their_method():
    both = mean_rate([(HITS, ALL), (~HITS, ALL)], 12, PAIRS, "")
    assert both.value == pytest.approx(0.5) and both.method == "Wilson, MOVER, clustered"
    assert mean_f1([(HITS, ALL)], 12, SINGLE, "").method == "Wilson of the Jaccard index"


def test_cases_of_one_patient_widen_every_interval():
    generator = np.random.default_rng(0)
    codes = np.repeat(np.arange(20), 4)
    effect = generator.normal(size=20)[codes]
    hits, losses = effect + 0.3 * generator.normal(size=80) > -0.5, np.exp(effect)
    chosen = np.ones(80, bool)
    for call in (
        lambda cases: rate(hits, chosen, cases),
        lambda cases: mean_rate([(hits, chosen), (~hits, codes < 15)], 80, cases, ""),
        lambda cases: mean_f1([(hits, chosen)], 80, cases, ""),
        lambda cases: mean_loss(losses, cases),
        lambda cases: jackknife_metrics(lambda w: (w @ hits / w.sum(axis=1))[:, None], {"x": "logit"}, cases, "")["x"],
    ):
        plain, clustered = call(Cases(np.arange(80), 0.95)), call(Cases(codes, 0.95))
        assert clustered.value == pytest.approx(plain.value)
        assert clustered.ci_high - clustered.ci_low > 1.3 * (plain.ci_high - plain.ci_low)
        assert "clustered" in clustered.method and "clustered" not in plain.method


def test_undefined_scores_have_the_given_reason():
    def statistic(weights):
        return np.stack([weights[:, 0] * 0 + 0.5, np.full(len(weights), np.nan)], axis=1)

    found = jackknife_metrics(statistic, {"weight": "logit", "nothing": "logit"}, SINGLE, "undefined: no case")
    assert found["nothing"] == (None, None, None, 12, "undefined: no case")
    assert found["weight"] == (0.5, None, None, 12, "no interval: all jackknife samples are equal")


@pytest.mark.parametrize("groups", [None, np.arange(40) // 4], ids=["cases", "groups"])
def test_percentile_metric_is_that_of_the_bootstrap(groups):
    values = np.random.default_rng(0).normal(size=40)

    def mean(weights):
        return weights @ values / weights.sum(axis=1)

    codes = np.arange(40) if groups is None else groups
    found = bootstrap_metric(mean, Cases(codes, 0.8, seed=3, replicates=200))
    assert found[1:3] == bootstrap_interval(mean, 40, groups, 0.8, 200, seed=3)[:2]
    assert found.value == pytest.approx(values.mean())
