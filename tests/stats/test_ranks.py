"""Rank tests against R (tests/reference/ranks.R) and exhaustive enumeration."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_radtl.stats.ranks import (
    kruskal_wallis_test,
    rank_sum_test,
    rank_sums_within,
    signed_rank_test,
)

EXPECTED = json.loads((Path(__file__).parents[1] / "reference" / "ranks.json").read_text())


def p_of(case):
    """Return R's p-value, or 1 where R returns NaN because all values or all pairs are equal."""
    return case["p"][0] if isinstance(case["p"][0], float | int) else 1.0


@pytest.mark.parametrize("name", EXPECTED["rank_sum"])
def test_rank_sum_test_matches_r(name):
    case = EXPECTED["rank_sum"][name]
    found = rank_sum_test(case["first"], case["second"])
    assert found.w == case["statistic"][0]
    assert found.p == pytest.approx(p_of(case), rel=1e-10)
    assert (found.method == "exact") == case["exact"][0]


@pytest.mark.parametrize("name", EXPECTED["signed_rank"])
def test_signed_rank_test_matches_r(name):
    case = EXPECTED["signed_rank"][name]
    found = signed_rank_test(case["first"], case["second"])
    assert found.v == case["statistic"][0]
    assert found.p == pytest.approx(p_of(case), rel=1e-10)
    assert (found.method == "exact") == case["exact"][0]


@pytest.mark.parametrize("name", EXPECTED["kruskal"])
def test_kruskal_wallis_test_matches_r(name):
    case = EXPECTED["kruskal"][name]
    found = kruskal_wallis_test(case["samples"])
    assert (found.statistic, found.df, found.p) == pytest.approx(
        (case["statistic"][0], case["df"][0], case["p"][0]), rel=1e-10
    )


def test_exact_rank_sum_p_value_matches_enumeration():
    first, second = [0.3, 1.2, 2.5], [0.1, 0.2, 1.9, 3.0]
    found = rank_sum_test(first, second)
    pooled = np.array(first + second)
    ranks = pooled.argsort().argsort() + 1
    centre = 3 * 4 / 2
    every = [sum(ranks[list(chosen)]) - 6 for chosen in itertools.combinations(range(7), 3)]
    assert found.p == pytest.approx(np.mean([abs(w - centre) >= abs(found.w - centre) for w in every]))


def test_exact_signed_rank_p_value_matches_enumeration():
    differences = np.array([0.4, -0.1, 0.9, 1.3, -0.2, 0.7])
    found = signed_rank_test(differences, np.zeros(6))
    ranks = np.abs(differences).argsort().argsort() + 1
    every = [ranks @ np.array(signs) for signs in itertools.product((0, 1), repeat=6)]
    assert found.p == pytest.approx(np.mean([abs(v - 10.5) >= abs(found.v - 10.5) for v in every]))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(-20, 20), min_size=1, max_size=30),
    st.lists(st.integers(-20, 20), min_size=1, max_size=30),
)
def test_swapping_samples_and_monotone_transformations_keep_the_p_value(first, second):
    found, swapped = rank_sum_test(first, second), rank_sum_test(second, first)
    assert found.w + swapped.w == len(first) * len(second)
    assert found.p == pytest.approx(swapped.p)
    assert rank_sum_test(np.exp(np.array(first) / 5), np.exp(np.array(second) / 5)) == found
    assert 0 <= found.p <= 1


def test_kruskal_wallis_of_two_samples_is_the_square_of_the_uncorrected_rank_sum():
    first, second = np.arange(30.0), np.arange(30.0) ** 1.1 + 3.05
    w = rank_sum_test(first, second).w
    z = (w - 450) / np.sqrt(30 * 30 * 61 / 12)
    assert kruskal_wallis_test([first, second]).statistic == pytest.approx(z**2)


def test_equal_values_give_p_value_1():
    assert rank_sum_test([0.5, 0.5], [0.5]).p == 1
    assert signed_rank_test([1, 2], [1, 2]).p == 1
    assert kruskal_wallis_test([[1, 1], [1, 1]]) == (0, 1, 1)


def test_strata_are_tested_separately_and_adjusted_jointly():
    values = [1, 2, 3, 4, 5, 6, 9, 8, 7, 6, 5, 4]
    groups = ["a", "a", "a", "b", "b", "b"] * 2
    pairs, several = rank_sums_within(values, groups, ["t10"] * 6 + ["t2"] * 6)
    assert [(row.stratum, row.levels, row.n, row.w) for row in pairs] == [
        ("t10", ("a", "b"), (3, 3), 0),
        ("t2", ("a", "b"), (3, 3), 9),
    ]
    assert [row.p for row in pairs] == pytest.approx([0.1, 0.1])
    assert [row.p_adjusted for row in pairs] == pytest.approx([0.2, 0.2])
    assert several == []


def test_more_than_two_levels_give_all_pairs_and_a_kruskal_wallis_test():
    pairs, several = rank_sums_within([1, 2, 3, 4, 5, 6], ["4", "4", "16", "16", "none", "none"])
    assert [row.levels for row in pairs] == [("4", "16"), ("4", "none"), ("16", "none")]
    assert (several[0].stratum, several[0].df) == ("all", 2)
    with pytest.raises(ValueError, match="only a in t"):
        rank_sums_within([1, 2], ["a", "a"], ["t", "t"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rank_sum_test([], [1]), "`first` must have at least one value"),
        (lambda: rank_sum_test([1], [float("nan")]), "`second` must have at least one value, all finite"),
        (lambda: signed_rank_test([1, 2], [1]), "the same length"),
        (lambda: kruskal_wallis_test([[1, 2]]), "at least two"),
    ],
)
def test_invalid_input_raises(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_import_needs_no_scipy():
    code = "import sys, keras_radtl.stats.ranks; print('scipy' in sys.modules, 'tensorflow' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False"]
