"""Paired tests of strategies: exchange of the pair, common seeds, and reasons for a missing test."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from keras_radtl.metrics.macro import macro_metrics
from keras_radtl.sweeps.seed_results import Seed
from keras_radtl.sweeps.strategy_tests import strategy_tests

TARGETS = np.arange(40) % 2
CASES = tuple(f"c{i:02d}" for i in range(40))


def seed(number, effect, cases=CASES, groups=CASES):
    scores = np.random.default_rng(number).normal(size=40) + effect * TARGETS
    positive = 1 / (1 + np.exp(-scores))
    probabilities = np.stack([1 - positive, positive], axis=1)
    return Seed(number, macro_metrics(TARGETS, probabilities), cases, groups, TARGETS, probabilities)


def run(reference, other):
    (test,) = strategy_tests([("R", "lp", reference, other)])
    return test


def test_exchanged_strategies_have_the_opposite_difference_and_equal_p_values():
    a, b = [seed(i, 0.5) for i in range(3)], [seed(i, 2.0) for i in range(3)]
    first, second = run(a, b), run(b, a)
    assert first.difference == pytest.approx(-second.difference) and first.difference > 0
    assert (first.p_seeds, first.p_cases) == pytest.approx((second.p_seeds, second.p_cases))
    values = [[s.metrics["macro_auroc"] for s in side] for side in (a, b)]
    assert first.p_seeds == pytest.approx(stats.ttest_rel(*values).pvalue)


def test_only_common_seeds_are_paired():
    test = run([seed(0, 0.5), seed(1, 0.5)], [seed(1, 2.0), seed(2, 2.0)])
    assert (test.seeds, test.p_seeds) == (1, None) and test.method == "DeLong, mean over seeds"
    test = run([seed(0, 0.5)], [seed(1, 2.0)])
    assert (test.seeds, test.difference, test.method) == (0, None, "no common seed with an AUROC")


def test_patients_with_several_images_are_clusters():
    patients = tuple(f"p{i // 4}" for i in range(40))
    test = run([seed(0, 0.5, groups=patients)], [seed(0, 2.0, groups=patients)])
    assert test.method == "DeLong, mean over seeds, clustered" and 0 <= test.p_cases <= 1


def test_different_test_cases_are_the_reason_for_a_missing_test():
    test = run([seed(0, 0.5)], [seed(0, 2.0, cases=CASES[::-1])])
    assert (test.p_cases, test.method) == (None, "none: the test cases differ between runs")


def test_equal_predictions_have_p_value_1():
    test = run([seed(0, 1.0)], [seed(0, 1.0)])
    assert (test.difference, test.p_cases) == (0.0, 1.0)


def test_p_values_are_corrected_over_all_pairs():
    pairs = [("R", name, [seed(0, 0.5)], [seed(0, effect)]) for name, effect in (("a", 2.0), ("b", 0.6))]
    first, second = strategy_tests(pairs)
    assert first.p_cases_holm == pytest.approx(min(1.0, 2 * first.p_cases))
    assert second.p_cases_holm == pytest.approx(max(second.p_cases, first.p_cases_holm))
