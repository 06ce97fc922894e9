"""Paired tests against R (tests/reference/paired.R), scipy and closed forms."""

from __future__ import annotations

import csv
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from keras_radtl.metrics.classification import exact_auc
from keras_radtl.stats.paired import adjust_p_values, cochran_q, mcnemar, mcnemar_counts, permutation_test

REFERENCE = Path(__file__).parents[1] / "reference"


def rows(name):
    with open(REFERENCE / f"{name}.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("row", rows("mcnemar"), ids=lambda row: f"{row['b']}-{row['c']}")
def test_mcnemar_as_in_r(row):
    b, c = int(row["b"]), int(row["c"])
    for method in ("corrected", "chi2"):
        found = mcnemar_counts(b, c, method)
        assert found.statistic == pytest.approx(float(row[method]), rel=1e-12, abs=1e-15)
        assert found.p == pytest.approx(float(row[f"{method}_p"]), rel=1e-10)
    assert mcnemar_counts(b, c, "exact").p == pytest.approx(float(row["exact_p"]), rel=1e-10)


def test_mcnemar_counts_the_cases_that_one_model_alone_has_right():
    #          both a  b  b  neither (three classes)
    targets = [0, 1, 2, 2, 1]
    found = mcnemar(targets, [0, 1, 0, 1, 0], [0, 2, 2, 2, 2])
    assert (found.only_a, found.only_b) == (1, 2)
    assert found == mcnemar_counts(1, 2)


@pytest.mark.parametrize("method", ["corrected", "chi2", "exact"])
def test_mcnemar_without_disagreement_has_p_one(method):
    found = mcnemar([0, 1, 1], [0, 1, 0], [0, 1, 0], method)
    assert found.p == 1.0 and not found.statistic


@pytest.mark.parametrize("table", ["1", "2", "3", "4"])
def test_cochran_as_in_r(table):
    chosen = [row for row in rows("cochran") if row["table"] == table]
    right = np.array(
        [[int(row["right"]) for row in column] for _, column in groupby(chosen, lambda row: row["model"])]
    ).T
    found = cochran_q(right)
    assert found.statistic == pytest.approx(float(chosen[0]["q"]), rel=1e-10)
    assert found.df == int(chosen[0]["df"])
    assert found.p == pytest.approx(float(chosen[0]["p"]), rel=1e-9)


def test_cochran_of_two_models_is_mcnemar_without_correction():
    right = np.random.default_rng(0).random((50, 2)) < (0.6, 0.8)
    pair = mcnemar(np.ones(50), right[:, 0], right[:, 1], "chi2")
    assert cochran_q(right).statistic == pytest.approx(pair.statistic, rel=1e-12)
    assert cochran_q(np.ones((5, 3))) == (0.0, 2, 1.0)


def test_permutation_of_accuracy_is_the_exact_binomial_test():
    targets = np.ones(12, int)
    a = np.array([1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1])
    b = np.array([0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 1])
    found = permutation_test(lambda targets, predicted: np.mean(targets == predicted), targets, a, b)
    assert found.difference == pytest.approx(5 / 12)
    assert found.permutations == 2**12
    assert found.p == pytest.approx(mcnemar(targets, a, b, "exact").p, rel=1e-12)


def test_permutation_of_auc_agrees_with_the_normal_test_and_is_repeatable():
    generator = np.random.default_rng(1)
    targets = np.arange(80) % 2
    a, b = (stats.rankdata(targets * effect + generator.normal(size=80)) for effect in (1.6, 0.4))
    first, again = (permutation_test(exact_auc, targets, a, b, permutations=500, seed=5) for _ in range(2))
    assert first == again
    assert first.difference == pytest.approx(exact_auc(targets, a) - exact_auc(targets, b))
    assert 1 / 501 <= first.p < 0.05


def test_permutation_by_groups_exchanges_patients():
    targets, a, b = np.ones(6, int), np.array([1, 1, 1, 1, 1, 1]), np.zeros(6, int)
    found = permutation_test(
        lambda targets, predicted: np.mean(targets == predicted), targets, a, b, groups=list("aabbcc")
    )
    assert found.permutations == 2**3
    assert found.p == pytest.approx(2 / 8)


@pytest.mark.parametrize("which", ["1", "2", "3", "4", "5"])
def test_corrections_as_in_r(which):
    chosen = [row for row in rows("adjusted") if row["set"] == which]
    p_values = [float(row["p"]) for row in chosen]
    assert adjust_p_values(p_values) == pytest.approx([float(row["holm"]) for row in chosen], rel=1e-12)
    assert adjust_p_values(p_values, "benjamini-hochberg") == pytest.approx(
        [float(row["bh"]) for row in chosen], rel=1e-12
    )


def test_a_test_that_could_not_be_made_is_not_counted():
    assert adjust_p_values([0.01, None, 0.04]) == pytest.approx([0.02, None, 0.04])
    assert adjust_p_values([None]) == [None] and adjust_p_values([]) == []


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match="method"):
        mcnemar_counts(1, 2, "yates")
    with pytest.raises(ValueError, match="one entry per target"):
        mcnemar([0, 1], [0, 1], [0])
    with pytest.raises(ValueError, match="two models"):
        cochran_q([[1], [0]])
    with pytest.raises(ValueError, match="p_values"):
        adjust_p_values([0.2, 1.2])
    with pytest.raises(ValueError, match="method"):
        adjust_p_values([0.2], "bonferoni")
    with pytest.raises(ValueError, match="one entry per target"):
        permutation_test(exact_auc, [0, 1], [0.1, 0.2], [0.1])
