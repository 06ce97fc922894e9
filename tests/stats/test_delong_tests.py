"""DeLong's tests against R's pROC (tests/reference/delong.R), invariances and simulated type I error."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from keras_radtl.stats.delong import delong_covariance, delong_interval
from keras_radtl.stats.delong_tests import delong_global_test, delong_test, delong_unpaired_test

REFERENCE = Path(__file__).parents[1] / "reference"
TOLERANCE = 1e-8


def rows(name):
    with open(REFERENCE / f"{name}.csv", newline="") as file:
        return list(csv.DictReader(file))


def number(text):
    return None if text in ("NA", "NaN") else float(text)


@pytest.fixture(scope="module")
def curves():
    """Return targets and score columns of every data set in the R reference, by name."""
    found = defaultdict(lambda: {"target": defaultdict(list), "score": defaultdict(list)})
    for row in rows("delong_scores"):
        for key in ("target", "score"):
            found[row["name"]][key][row["column"]].append(float(row[key]))
    return {
        name: (np.array(next(iter(case["target"].values()))), {k: np.array(v) for k, v in case["score"].items()})
        for name, case in found.items()
    }


def oriented(curves, row, column):
    """Return targets and scores, negated for data sets that R evaluates with direction ">"."""
    targets, scores = curves[row["name"]]
    return targets, -scores[column] if row["direction"] == ">" else scores[column]


@pytest.mark.parametrize(
    "row", rows("delong_single"), ids=lambda row: f"{row['name']}-{row['column']}-{row['level'][:4]}"
)
def test_single_auc_matches_r(curves, row):
    found = delong_interval(*oriented(curves, row, row["column"]), confidence=float(row["level"]), scale="plain")
    assert found.auc == pytest.approx(float(row["auc"]), abs=TOLERANCE)
    if number(row["variance"]):
        assert found.variance == pytest.approx(float(row["variance"]), rel=TOLERANCE)
        assert found.ci_low == pytest.approx(float(row["ci_low"]), abs=TOLERANCE)
        assert found.ci_high == pytest.approx(float(row["ci_high"]), abs=TOLERANCE)
    else:
        assert "Newcombe" in found.method  # R returns NA for one positive, an interval of width 0 for AUC 1


@pytest.mark.parametrize("row", rows("delong_paired"), ids=lambda row: f"{row['name']}-{row['alternative']}")
def test_paired_test_matches_r(curves, row):
    targets, a = oriented(curves, row, "a")
    b = oriented(curves, row, "b")[1]
    found = delong_test(targets, a, b, alternative=row["alternative"].replace("two.", "two-"))
    assert delong_covariance(targets, np.stack([a, b])).covariance[0, 1] == pytest.approx(
        float(row["covariance"]), abs=1e-12
    )
    if row["name"] == "same_twice":  # R returns NaN or an interval of width 0
        assert (found.statistic, found.ci_low, found.ci_high) == (0.0, 0.0, 0.0)
    else:
        assert found.statistic == pytest.approx(float(row["z"]), abs=TOLERANCE)
        assert found.ci_low == pytest.approx(float(row["ci_low"]), abs=TOLERANCE)
        assert found.ci_high == pytest.approx(float(row["ci_high"]), abs=TOLERANCE)
        assert found.p == pytest.approx(float(row["p"]), abs=TOLERANCE)


@pytest.mark.parametrize("row", rows("delong_unpaired"), ids=lambda row: f"{row['other']}-{row['alternative']}")
def test_unpaired_test_matches_r(curves, row):
    targets_a, columns_a = curves["continuous"]
    targets_b, columns_b = curves[row["other"]]
    found = delong_unpaired_test(
        targets_a, columns_a["a"], targets_b, columns_b["b"], alternative=row["alternative"].replace("two.", "two-")
    )
    assert found.statistic == pytest.approx(float(row["t"]), abs=TOLERANCE)
    assert found.df == pytest.approx(float(row["df"]), rel=TOLERANCE)
    assert found.p == pytest.approx(float(row["p"]), abs=TOLERANCE)


def test_unpaired_interval_excludes_zero_if_and_only_if_p_is_below_alpha(curves):
    for name in ("unbalanced", "five_levels", "near_one", "large", "below_half"):
        targets_b, columns_b = curves[name]
        found = delong_unpaired_test(
            *[curves["continuous"][0], curves["continuous"][1]["a"]], targets_b, columns_b["b"]
        )
        assert (found.ci_low > 0 or found.ci_high < 0) == (found.p < 0.05)


@pytest.mark.parametrize("name", ["three", "four_tied", "six"])
def test_global_test_matches_r(curves, name):
    expected = [row for row in rows("delong_global") if row["name"] == name]
    targets, columns = curves[name]
    scores = np.stack(list(columns.values()))
    covariance = delong_covariance(targets, scores).covariance
    for row in expected:
        assert covariance[int(row["i"]) - 1, int(row["j"]) - 1] == pytest.approx(float(row["covariance"]), abs=1e-12)
    found = delong_global_test(targets, scores)
    assert found.chi2 == pytest.approx(float(expected[0]["chi2"]), rel=TOLERANCE)
    assert found.df == int(expected[0]["df"])
    assert found.p == pytest.approx(float(expected[0]["p"]), rel=TOLERANCE)


def test_global_test_of_two_curves_is_the_square_of_the_paired_test(curves):
    targets, columns = curves["one_decimal"]
    pair, both = delong_test(targets, columns["a"], columns["b"]), delong_global_test(targets, list(columns.values()))
    assert both.chi2 == pytest.approx(pair.statistic**2, rel=1e-10)
    assert both.p == pytest.approx(pair.p, rel=1e-10)


def test_global_test_ignores_copies_of_a_curve(curves):
    targets, columns = curves["three"]
    scores = np.stack(list(columns.values()))
    plain, copied = (
        delong_global_test(targets, scores),
        delong_global_test(targets, np.vstack([scores, np.exp(scores[:1])])),
    )
    assert copied.df == plain.df == 2
    assert copied.chi2 == pytest.approx(plain.chi2, rel=1e-8)
    assert delong_global_test(targets, scores[[0, 0]]) == (0.0, 0, 1.0, None)


def test_swapping_models_reverses_the_sign_and_swapping_labels_changes_nothing(curves):
    targets, columns = curves["five_levels"]
    forward, back = delong_test(targets, columns["a"], columns["b"]), delong_test(targets, columns["b"], columns["a"])
    swapped = delong_test(1 - targets, -columns["a"], -columns["b"])
    assert back.statistic == pytest.approx(-forward.statistic, rel=1e-12)
    assert (back.ci_low, back.ci_high) == pytest.approx((-forward.ci_high, -forward.ci_low), rel=1e-12)
    assert swapped.statistic == pytest.approx(forward.statistic, rel=1e-12)


def test_paired_test_keeps_its_level_under_the_null_hypothesis():
    generator = np.random.default_rng(3)
    rejected = 0
    for _ in range(500):
        targets = generator.random(120) < 0.4
        common = generator.normal(size=120) + targets
        rejected += (
            delong_test(targets, common + generator.normal(size=120), common + generator.normal(size=120)).p < 0.05
        )
    assert 0.02 <= rejected / 500 <= 0.085


def test_clustered_test_is_not_affected_by_copies_within_groups(curves):
    targets, columns = curves["continuous"]
    once = delong_test(targets, columns["a"], columns["b"])
    tripled = [np.tile(values, 3) for values in (targets, columns["a"], columns["b"])]
    assert delong_test(*tripled).p < once.p
    clustered = delong_test(*tripled, groups=np.tile(np.arange(len(targets)), 3))
    assert clustered.statistic == pytest.approx(once.statistic, rel=1e-10)
    assert clustered.df == len(targets) - 1
    assert clustered.p == pytest.approx(2 * stats.t.sf(abs(once.statistic), len(targets) - 1), rel=1e-10)


def test_clustered_global_test_is_hotellings(curves):
    targets, columns = curves["three"]
    scores, groups = np.stack(list(columns.values())), np.arange(len(targets)) // 2
    found = delong_global_test(targets, scores, groups)
    contrasts = np.array([[-1.0, 1.0, 0.0], [-1.0, 0.0, 1.0]])
    estimate = delong_covariance(targets, scores, groups, contrasts)
    difference = contrasts @ estimate.aucs
    assert found.chi2 == pytest.approx(difference @ np.linalg.solve(estimate.covariance, difference), rel=1e-8)
    within = int(groups.max())
    expected = stats.f.sf(found.chi2 * (within - 1) / (2 * within), 2, within - 1)
    assert (found.df, found.df_within, found.p) == (2, within, pytest.approx(expected, rel=1e-10))
    pair = delong_global_test(targets, scores[:2], groups)
    assert pair.p == pytest.approx(delong_test(targets, *scores[:2], groups=groups).p, rel=1e-8)


@pytest.mark.parametrize(
    ("targets", "a", "b", "words"),
    [
        ([1, 1, 1], [1, 2, 3], [3, 2, 1], "one class"),
        ([1, 0, 0], [1, 2, 3], [3, 2, 1], "fewer than two positives"),
        ([1, 1, 0, 0], [4, 3, 2, 1], [1, 2, 3, 4], "variance of the difference is 0"),
    ],
)
def test_undefined_test_is_none_with_the_reason(targets, a, b, words):
    found = delong_test(targets, a, b)
    assert found.p is None and found.ci_low is None
    assert words in found.method
    assert words in delong_unpaired_test(targets, a, targets, b).method


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: delong_test([0, 1], [0, 1], [1, 0], alternative="both"), "`alternative` must be one of two-sided"),
        (lambda: delong_test([0, 1], [0, 1], [1, 0], confidence=95), r"`confidence` must be in \(0, 1\)"),
        (lambda: delong_global_test([0, 1], [[0, 1]]), "at least two curves"),
        (lambda: delong_global_test([1, 1, 0, 0], [[4, 3, 2, 1], [1, 2, 3, 4]]), "variance 0"),
        (lambda: delong_global_test([1, 0, 0], [[4, 3, 2], [1, 2, 3]]), "at least two positives"),
    ],
)
def test_invalid_input_raises(call, message):
    with pytest.raises(ValueError, match=message):
        call()
