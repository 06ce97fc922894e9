"""Paired tests and adjusted p-values against R (tests/reference/paired.R), statsmodels and closed forms."""

from __future__ import annotations

import csv
import gc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from keras_radtl.metrics.classification import exact_auc
from keras_radtl.stats.accuracy_tests import mcnemar
from keras_radtl.stats.paired import adjust_p_values, permutation_test

REFERENCE = Path(__file__).parents[1] / "reference"


def rows(name):
    with open(REFERENCE / f"{name}.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_permutation_test_of_accuracy_is_the_exact_mcnemar_test():
    targets = np.ones(12, int)
    a = np.array([1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1])
    b = np.array([0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 1])
    found = permutation_test(lambda targets, predicted: np.mean(targets == predicted), targets, a, b)
    assert found.difference == pytest.approx(5 / 12)
    assert found.permutations == 2**12
    assert found.p == pytest.approx(mcnemar(targets, a, b, "exact").p, rel=1e-12)


def test_permutation_test_of_auc_is_reproducible_and_significant():
    generator = np.random.default_rng(1)
    targets = np.arange(80) % 2
    a, b = (stats.rankdata(targets * effect + generator.normal(size=80)) for effect in (1.6, 0.4))
    first, again = (permutation_test(exact_auc, targets, a, b, permutations=500, seed=5) for _ in range(2))
    assert first == again
    assert first.difference == pytest.approx(exact_auc(targets, a) - exact_auc(targets, b))
    assert 1 / 501 <= first.p < 0.05


def test_permutation_test_swaps_whole_groups():
    targets, a, b = np.ones(6, int), np.array([1, 1, 1, 1, 1, 1]), np.zeros(6, int)
    found = permutation_test(
        lambda targets, predicted: np.mean(targets == predicted), targets, a, b, groups=list("aabbcc")
    )
    assert found.permutations == 2**3
    assert found.p == pytest.approx(2 / 8)


@pytest.mark.parametrize("which", ["1", "2", "3", "4", "5"])
def test_adjusted_p_values_match_r(which):
    chosen = [row for row in rows("adjusted") if row["set"] == which]
    p_values = [float(row["p"]) for row in chosen]
    assert adjust_p_values(p_values) == pytest.approx([float(row["holm"]) for row in chosen], rel=1e-12)
    assert adjust_p_values(p_values, "benjamini-hochberg") == pytest.approx(
        [float(row["bh"]) for row in chosen], rel=1e-12
    )


P_VALUES = [[0.03], [0.0, 1.0], [0.5, 0.5, 0.5], [0.04, 0.01, 0.01, 0.9, 0.03], [1e-12, 0.2, 0.0, 0.7, 0.7, 1.0]]


@pytest.mark.parametrize("p_values", [*P_VALUES, np.random.default_rng(0).random(200).tolist()], ids=len)
@pytest.mark.parametrize(("method", "theirs"), [("holm", "holm"), ("benjamini-hochberg", "fdr_bh")])
def test_adjusted_p_values_match_statsmodels(p_values, method, theirs):
    assert adjust_p_values(p_values, method) == pytest.approx(multipletests(p_values, method=theirs)[1], rel=1e-14)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.sampled_from(["holm", "benjamini-hochberg"]))
def test_adjustment_is_monotone_and_between_the_p_value_and_bonferroni(p_values, method):
    adjusted = np.array(adjust_p_values(p_values, method))
    plain, order = np.array(p_values), np.argsort(p_values)
    assert (np.diff(adjusted[order]) >= 0).all()
    assert (adjusted >= plain).all() and (adjusted <= np.minimum(1, len(plain) * plain) + 1e-15).all()


def test_adjustment_collects_no_garbage():
    passes = []
    gc.callbacks.append(lambda phase, info: passes.append(info["generation"]))
    try:
        adjust_p_values([0.01, 0.02, 0.03])
    finally:
        gc.callbacks.pop()
    assert 2 not in passes  # a full collection takes 60 ms or more once the libraries are loaded


def test_undefined_p_values_stay_none_and_are_not_counted():
    assert adjust_p_values([0.01, None, 0.04]) == pytest.approx([0.02, None, 0.04])
    assert adjust_p_values([None]) == [None] and adjust_p_values([]) == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: adjust_p_values([0.2, 1.2]), r"`p_values` must be in \[0, 1\]"),
        (lambda: adjust_p_values([0.2, float("nan")]), r"`p_values` must be in \[0, 1\]"),
        (lambda: adjust_p_values([0.2], "bonferoni"), "`method` must be one of holm, benjamini-hochberg"),
        (lambda: permutation_test(exact_auc, [0, 1], [0.1, 0.2], [0.1]), "one entry per target"),
    ],
)
def test_invalid_input_raises(call, message):
    with pytest.raises(ValueError, match=message):
        call()
