"""Friedman and Nemenyi tests against R (tests/reference/ranks.R) and scipy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from keras_radtl.stats.friedman import friedman_test, nemenyi_test

EXPECTED = json.loads((Path(__file__).parents[1] / "reference" / "ranks.json").read_text())


@pytest.mark.parametrize("name", EXPECTED["friedman"])
def test_friedman_and_nemenyi_tests_match_r(name):
    case = EXPECTED["friedman"][name]
    found = friedman_test(case["table"])
    assert (found.statistic, found.df, found.p) == pytest.approx(
        (case["statistic"][0], case["df"][0], case["p"][0]), rel=1e-10
    )
    pairs = nemenyi_test(case["table"])
    np.testing.assert_allclose(pairs.mean_ranks, case["mean_ranks"], rtol=1e-12)
    np.testing.assert_allclose(pairs.p, case["nemenyi"], rtol=1e-6, atol=1e-9)
    assert pairs.critical_difference == pytest.approx(case["critical_difference"][0], rel=1e-6)


def test_friedman_test_matches_scipy():
    table = np.random.default_rng(0).integers(0, 6, size=(12, 4))
    found = friedman_test(table)
    assert (found.statistic, found.p) == pytest.approx(tuple(stats.friedmanchisquare(*table.T)), rel=1e-10)


def test_models_that_always_tie_give_p_value_1():
    assert friedman_test([[1, 1], [2, 2]]) == (0, 1, 1)
    np.testing.assert_array_equal(nemenyi_test([[1, 1], [2, 2]]).p, np.ones((2, 2)))


def test_critical_difference_separates_significant_pairs():
    generator = np.random.default_rng(1)
    found = nemenyi_test(generator.normal(size=(15, 5)) + [0, 0.2, 0.8, 1, 2], alpha=0.1)
    gaps = np.abs(found.mean_ranks[:, None] - found.mean_ranks)
    np.testing.assert_array_equal(gaps > found.critical_difference, found.p < 0.1)
    assert (found.p < 0.1).any()


def test_best_model_has_the_smallest_mean_rank():
    table = np.array([[0.7, 0.9, 0.8]] * 6)
    assert nemenyi_test(table).mean_ranks.tolist() == [3, 1, 2]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: friedman_test([[1, 2]]), "`table` must have finite values"),
        (lambda: friedman_test([[1, 2], [3, float("nan")]]), "`table` must have finite values"),
        (lambda: nemenyi_test([[1, 2], [2, 1]], alpha=1), r"`alpha` must be in \(0, 1\)"),
    ],
)
def test_invalid_input_raises(call, message):
    with pytest.raises(ValueError, match=message):
        call()
