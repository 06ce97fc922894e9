"""Clustered Wilson intervals and means of proportions: closed forms, statsmodels and simulated coverage."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.api import OLS
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from keras_radtl.stats.intervals import wilson_interval
from keras_radtl.stats.proportions import clustered_wilson_interval, f1_score, mean_of_proportions, proportion


def example(seed=0, n=90, groups=20):
    generator = np.random.default_rng(seed)
    ids = generator.integers(0, groups, n)
    return generator.normal(size=groups)[ids] + generator.normal(size=n) > -0.5, np.unique(ids, return_inverse=True)[1]


def test_without_groups_it_is_wilsons_interval():
    hits, _ = example()
    assert clustered_wilson_interval(hits)[:2] == pytest.approx(wilson_interval(int(hits.sum()), 90)[:2], abs=1e-14)
    assert clustered_wilson_interval(hits).method == "Wilson"
    assert clustered_wilson_interval([]) == (None, None, "undefined: no case")


@pytest.mark.parametrize("seed", range(4))
def test_it_is_wilsons_interval_of_the_effective_number_of_cases(seed):
    hits, groups = example(seed)
    fit = OLS(hits.astype(float), np.ones(90)).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False, "df_correction": False}
    )
    count = len(np.unique(groups))
    p, variance = hits.mean(), fit.bse[0] ** 2 * count / (count - 1)
    effective = min(90, p * (1 - p) / variance)
    found = clustered_wilson_interval(hits, groups, 0.9)
    assert found[:2] == pytest.approx(proportion_confint(p * effective, effective, 0.1, "wilson"), rel=1e-10)
    assert found.method == "Wilson, clustered"


def test_copies_within_groups_add_no_information():
    hits, _ = example()
    once = wilson_interval(int(hits.sum()), 90)
    copied = clustered_wilson_interval(np.tile(hits, 4), np.tile(np.arange(90), 4))
    assert copied[:2] == pytest.approx(once[:2], abs=0.002)  # up to 90 / 89 of the variance


@pytest.mark.parametrize("value", [0, 1])
def test_a_share_of_0_or_1_counts_groups(value):
    found = clustered_wilson_interval(np.full(60, value), np.arange(60) // 3)
    assert found[:2] == pytest.approx(wilson_interval(20 * value, 20)[:2], abs=1e-14)
    assert clustered_wilson_interval([value] * 5, [0] * 5)[:2] == pytest.approx(wilson_interval(value, 1)[:2])


def test_independent_groups_have_nominal_coverage_and_ignoring_them_has_not():
    generator, covered = np.random.default_rng(5), {"clustered": 0, "plain": 0}
    groups = np.repeat(np.arange(30), 5)
    for _ in range(400):
        hits = generator.normal(size=30)[groups] + generator.normal(size=150) > -1
        for name, given in (("clustered", groups), ("plain", None)):
            low, high, _ = clustered_wilson_interval(hits, given)
            covered[name] += low <= 0.76024993890 <= high  # Phi(1 / sqrt 2)
    assert 0.92 <= covered["clustered"] / 400 <= 0.98
    assert covered["plain"] / 400 < 0.88


def part(hits, chosen, codes, clustered=False):
    return proportion(hits, chosen, codes, 0.95, clustered)


def test_mean_of_two_independent_proportions_is_newcombes_interval():
    hits, first = np.random.default_rng(1).random(80) < 0.8, np.arange(80) < 35
    codes = np.arange(80)
    found = mean_of_proportions([part(hits, first, codes), part(hits, ~first, codes)])
    a, b = int(hits[first].sum()), int(hits[~first].sum())
    low, high = confint_proportions_2indep(a, 35, 45 - b, 45, method="newcomb")  # of p1 - (1 - p2)
    assert found.value == pytest.approx((a / 35 + b / 45) / 2)
    assert (found.ci_low, found.ci_high) == pytest.approx(((low + 1) / 2, (high + 1) / 2), abs=1e-12)


def test_mean_of_a_proportion_and_itself_is_the_proportion():
    hits, codes = example()
    one = part(hits, np.ones(90, bool), codes, clustered=True)
    assert mean_of_proportions([one, one])[:3] == pytest.approx(one[:3], abs=1e-12)
    assert mean_of_proportions([one]) is one


def test_f1_is_a_function_of_the_jaccard_index():
    generator = np.random.default_rng(2)
    positive = generator.random(70) < 0.4
    predicted = positive ^ (generator.random(70) < 0.2)
    found = f1_score(positive, predicted, np.arange(70), 0.95, False)
    hits, union = int((positive & predicted).sum()), int((positive | predicted).sum())
    assert found.value == pytest.approx(2 * hits / (positive.sum() + predicted.sum()))
    low, high, _ = wilson_interval(hits, union)
    assert (found.ci_low, found.ci_high) == pytest.approx((2 * low / (1 + low), 2 * high / (1 + high)))


def test_invalid_groups_raise():
    with pytest.raises(ValueError, match="one entry per case"):
        clustered_wilson_interval([1, 0], ["a"])
    with pytest.raises(ValueError, match="`groups` must not be empty"):
        clustered_wilson_interval([1, 0], ["a", ""])
