"""McNemar's and Cochran's tests against R (tests/reference/paired.R); for groups, definitions and simulation."""

from __future__ import annotations

import csv
from itertools import groupby, product
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from keras_radtl.stats.accuracy_tests import MCNEMAR_METHODS, cochran_q, mcnemar, mcnemar_counts

REFERENCE = Path(__file__).parents[1] / "reference"


def rows(name):
    with open(REFERENCE / f"{name}.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("row", rows("mcnemar"), ids=lambda row: f"{row['b']}-{row['c']}")
def test_mcnemar_matches_r(row):
    b, c = int(row["b"]), int(row["c"])
    for method in ("corrected", "chi2"):
        found = mcnemar_counts(b, c, method)
        assert found.statistic == pytest.approx(float(row[method]), rel=1e-12, abs=1e-15)
        assert found.p == pytest.approx(float(row[f"{method}_p"]), rel=1e-10)
    assert mcnemar_counts(b, c, "exact").p == pytest.approx(float(row["exact_p"]), rel=1e-10)


def test_mcnemar_counts_the_discordant_cases():
    # correct predictions: both, a only, b only, b only, neither
    targets = [0, 1, 2, 2, 1]
    found = mcnemar(targets, [0, 1, 0, 1, 0], [0, 2, 2, 2, 2])
    assert (found.only_a, found.only_b) == (1, 2)
    assert found == mcnemar_counts(1, 2)


@pytest.mark.parametrize("method", ["corrected", "chi2", "exact"])
def test_mcnemar_without_discordant_cases_has_p_value_1(method):
    found = mcnemar([0, 1, 1], [0, 1, 0], [0, 1, 0], method)
    assert found.p == 1.0 and not found.statistic


@pytest.mark.parametrize("table", ["1", "2", "3", "4"])
def test_cochran_q_matches_r(table):
    chosen = [row for row in rows("cochran") if row["table"] == table]
    right = np.array(
        [[int(row["right"]) for row in column] for _, column in groupby(chosen, lambda row: row["model"])]
    ).T
    found = cochran_q(right)
    assert found.statistic == pytest.approx(float(chosen[0]["q"]), rel=1e-10)
    assert found.df == int(chosen[0]["df"])
    assert found.p == pytest.approx(float(chosen[0]["p"]), rel=1e-9)


def test_cochran_q_of_two_models_is_mcnemar_without_correction():
    right = np.random.default_rng(0).random((50, 2)) < (0.6, 0.8)
    pair = mcnemar(np.ones(50), right[:, 0], right[:, 1], "chi2")
    assert cochran_q(right).statistic == pytest.approx(pair.statistic, rel=1e-12)
    assert cochran_q(np.ones((5, 3))) == (0.0, 2, 1.0, "Cochran's Q")


def example(seed=0, groups=12, cases=40):
    """Return predictions of three models (1: correct) and groups of different sizes."""
    generator = np.random.default_rng(seed)
    return generator.random((cases, 3)) < (0.6, 0.7, 0.8), generator.integers(0, groups, cases)


@pytest.mark.parametrize("method", MCNEMAR_METHODS)
def test_groups_of_one_case_give_the_ordinary_test(method):
    right, _ = example()
    ones = np.ones(40)
    plain, grouped = (mcnemar(ones, right[:, 0], right[:, 1], method, groups) for groups in (None, np.arange(40)))
    assert grouped.p == pytest.approx(plain.p, rel=1e-12)
    assert (grouped.statistic, grouped.only_a, grouped.only_b) == (plain.statistic, plain.only_a, plain.only_b)
    assert (plain.method, grouped.method) == (method, f"{method}, clustered")


@pytest.mark.parametrize("seed", range(3))
def test_clustered_mcnemar_is_the_sum_of_differences_over_their_squares(seed):
    right, groups = example(seed)
    differences = [int(right[groups == g, 0].sum()) - int(right[groups == g, 1].sum()) for g in np.unique(groups)]
    found = mcnemar(np.ones(40), right[:, 0], right[:, 1], "chi2", groups)
    assert found.statistic == pytest.approx(sum(differences) ** 2 / sum(d**2 for d in differences), rel=1e-12)
    assert found.p == pytest.approx(stats.chi2.sf(found.statistic, 1), rel=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_exact_clustered_mcnemar_counts_all_signs(seed):
    right, groups = example(seed, groups=9)
    differences = np.array([right[groups == g, 0].sum() - 1.0 * right[groups == g, 1].sum() for g in range(9)])
    sums = [abs(np.dot(signs, differences)) for signs in product((-1, 1), repeat=9)]
    expected = np.mean(np.array(sums) >= abs(differences.sum()))
    assert mcnemar(np.ones(40), right[:, 0], right[:, 1], "exact", groups).p == pytest.approx(expected, rel=1e-12)


def test_copies_of_the_cases_of_a_group_add_no_evidence():
    right, _ = example()
    plain = mcnemar(np.ones(40), right[:, 0], right[:, 1], "chi2")
    copied = mcnemar(
        np.ones(200), np.tile(right[:, 0], 5), np.tile(right[:, 1], 5), "chi2", groups=np.tile(np.arange(40), 5)
    )
    assert copied.p == pytest.approx(plain.p, rel=1e-12)


def test_clustered_cochran_is_hotellings_test_of_the_differences():
    right, groups = example(4)
    groups = np.unique(groups, return_inverse=True)[1]
    sums = np.stack([np.bincount(groups, right[:, k]) for k in range(3)], axis=1)
    differences = sums[:, 1:] - sums[:, :1]
    mean, covariance = differences.mean(axis=0), np.cov(differences.T, ddof=1)
    expected = len(sums) * mean @ np.linalg.solve(covariance, mean)
    found = cochran_q(right, groups)
    assert found.statistic == pytest.approx(expected, rel=1e-10) and found.df == 2
    assert found.p == pytest.approx(stats.f.sf(expected * (len(sums) - 2) / (2 * (len(sums) - 1)), 2, len(sums) - 2))
    pair = cochran_q(right[:, :2], groups)
    one = differences[:, 0]
    assert pair.p == pytest.approx(stats.ttest_1samp(one, 0).pvalue, rel=1e-10)


@pytest.mark.parametrize(
    ("right", "groups", "words"),
    [
        ([[1, 0, 0], [1, 1, 0]], [0, 0], "only one group"),
        (np.tile([[1, 0, 0], [0, 0, 0]], (2, 1)), [0, 0, 1, 1], "differ equally in all groups"),
        (np.eye(5)[:3], [0, 1, 2], "differ equally in all groups"),
    ],
)
def test_clustered_cochran_without_a_test_gives_the_reason(right, groups, words):
    found = cochran_q(right, groups)
    assert found.statistic is found.p is None and words in found.method


def test_models_that_agree_in_every_group_have_p_value_1():
    assert cochran_q(np.ones((4, 3)), [0, 0, 1, 1])[:3] == (0.0, 2, 1.0)
    assert mcnemar([1, 1], [1, 0], [0, 1], "chi2", [7, 7]).p == 1.0


def rejections(images, seed=0, rounds=300, patients=40):
    """Return the share of rounds in which each test rejects at 0.05, for three models of equal accuracy."""
    generator, counts = np.random.default_rng(seed), dict.fromkeys(("plain", "chi2", "corrected", "q"), 0)
    groups, ones = np.repeat(np.arange(patients), images), np.ones(patients * images)
    for _ in range(rounds):
        between = generator.normal(size=(patients, 3)) + generator.normal(size=(patients, 1))
        right = between[groups] + 0.7 * generator.normal(size=(len(groups), 3)) > -1
        a, b = right[:, 0], right[:, 1]
        counts["plain"] += mcnemar(ones, a, b, "chi2").p < 0.05
        for method in ("chi2", "corrected"):
            counts[method] += mcnemar(ones, a, b, method, groups).p < 0.05
        counts["q"] += (cochran_q(right, groups).p or 0) < 0.05
    return {name: count / rounds for name, count in counts.items()}


@pytest.mark.parametrize("images", [3, 10])
def test_clustered_tests_reject_at_their_level(images):
    found = rejections(images)
    assert found["plain"] > 0.09
    assert 0.025 <= found["chi2"] <= 0.075 and 0.025 <= found["q"] <= 0.075
    assert 0.01 <= found["corrected"] <= found["chi2"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mcnemar_counts(1, 2, "yates"), "`method` must be one of corrected"),
        (lambda: mcnemar([0, 1], [0, 1], [0, 0], "yates", [1, 2]), "`method` must be one of corrected"),
        (lambda: mcnemar([0, 1], [0, 1], [0]), "one entry per target"),
        (lambda: mcnemar([0, 1], [0, 1], [0, 0], groups=["a", ""]), "`groups` must not be empty"),
        (lambda: cochran_q([[1], [0]]), "at least two models"),
        (lambda: cochran_q([[1, 0], [0, 1]], ["a", None]), "`groups` must not be empty"),
    ],
)
def test_invalid_input_raises(call, message):
    with pytest.raises(ValueError, match=message):
        call()
