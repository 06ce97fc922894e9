"""DeLong's variance and intervals against the double sum that defines them, invariances and simulated coverage."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from keras_radtl.stats.delong import delong_covariance, delong_interval, newcombe_interval


def double_sum(targets, scores, groups=None):
    """Compute AUCs and covariance by definition, from a kernel matrix over all pairs of a positive and a negative."""
    positive = np.asarray(targets) == 1
    kernels = [
        np.where(
            row[positive][:, None] > row[~positive], 1.0, np.where(row[positive][:, None] == row[~positive], 0.5, 0.0)
        )
        for row in np.atleast_2d(scores)
    ]
    aucs = np.array([kernel.mean() for kernel in kernels])
    m, n = kernels[0].shape
    s10 = np.cov(np.stack([kernel.mean(axis=1) for kernel in kernels]), ddof=1)
    s01 = np.cov(np.stack([kernel.mean(axis=0) for kernel in kernels]), ddof=1)
    return aucs, np.atleast_2d(s10) / m + np.atleast_2d(s01) / n


def example(seed, n=60, curves=3, share=0.4, digits=1):
    """Return targets and correlated scores, rounded to make ties."""
    generator = np.random.default_rng(seed)
    targets = generator.random(n) < share
    targets[:4] = [True, True, False, False]
    signal = generator.normal(size=n) + targets
    return targets.astype(int), np.round(signal + generator.normal(size=(curves, n)), digits)


cases = st.lists(st.tuples(st.booleans(), st.integers(-4, 4)), min_size=4, max_size=30).filter(
    lambda rows: 2 <= sum(positive for positive, _ in rows) <= len(rows) - 2
)


@settings(max_examples=200, deadline=None)
@given(cases)
def test_auc_and_variance_equal_the_double_sum(rows):
    targets, scores = np.array(rows).T
    aucs, covariance = double_sum(targets, scores)
    found = delong_covariance(targets, scores)
    np.testing.assert_allclose(found.aucs, aucs, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.covariance, covariance, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("seed", "digits"), [(0, 0), (1, 1), (2, 8)])
def test_covariance_of_three_curves_equals_the_double_sum(seed, digits):
    targets, scores = example(seed, digits=digits)
    aucs, covariance = double_sum(targets, scores)
    found = delong_covariance(targets, scores)
    np.testing.assert_allclose(found.aucs, aucs, atol=1e-12)
    np.testing.assert_allclose(found.covariance, covariance, atol=1e-12)
    contrasts = np.array([[1.0, -1.0, 0.0], [0.0, 1.0, -1.0]])
    np.testing.assert_allclose(
        delong_covariance(targets, scores, contrasts=contrasts).covariance,
        contrasts @ covariance @ contrasts.T,
        atol=1e-12,
    )


@settings(max_examples=100, deadline=None)
@given(cases)
def test_swapping_labels_and_negating_scores_changes_nothing(rows):
    targets, scores = np.array(rows).T
    plain, swapped = delong_interval(targets, scores), delong_interval(1 - targets, -scores)
    assert plain.auc == pytest.approx(swapped.auc, abs=1e-15)
    assert plain.ci_low == pytest.approx(swapped.ci_low, abs=1e-12)
    mirrored = delong_interval(1 - targets, scores)
    assert mirrored.auc == pytest.approx(1 - plain.auc, abs=1e-15)
    if plain.ci_low is not None:
        assert mirrored.ci_low == pytest.approx(1 - plain.ci_high, abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(cases)
def test_monotone_transformation_changes_nothing(rows):
    targets, scores = np.array(rows).T
    assert delong_interval(targets, scores) == delong_interval(targets, np.exp(scores) * 7 - 3)


def test_duplicating_cases_keeps_the_auc_and_roughly_halves_the_variance():
    targets, scores = example(5, n=200)
    once, twice = delong_covariance(targets, scores), delong_covariance(np.tile(targets, 2), np.tile(scores, 2))
    np.testing.assert_array_equal(once.aucs, twice.aucs)
    m, n = once.positives, once.negatives
    assert 0.5 * (min(m, n) - 1) / (min(m, n) - 0.5) <= twice.covariance[0, 0] / once.covariance[0, 0] < 0.5


def test_clustered_covariance_equals_delong_for_single_cases_and_for_copies_in_groups():
    targets, scores = example(6, n=80)
    plain = delong_covariance(targets, scores)
    alone = delong_covariance(targets, scores, groups=[f"patient {i}" for i in range(80)])
    np.testing.assert_allclose(alone.covariance, plain.covariance, rtol=1e-12)
    copied = delong_covariance(np.tile(targets, 3), np.tile(scores, 3), groups=np.tile(np.arange(80), 3))
    np.testing.assert_allclose(copied.covariance, plain.covariance, rtol=1e-12)


def test_clustered_variance_equals_its_formula_for_groups_of_both_classes():
    targets, scores = example(7, n=60, curves=1)
    groups = np.random.default_rng(7).integers(0, 20, 60)
    positive = targets == 1
    kernel = (scores[0][positive][:, None] > scores[0][~positive]) + 0.5 * (
        scores[0][positive][:, None] == scores[0][~positive]
    )
    auc, (m, n) = kernel.mean(), kernel.shape
    of_positives, of_negatives = kernel.mean(axis=1) - auc, kernel.mean(axis=0) - auc
    ids = np.unique(groups)
    x = np.array([of_positives[groups[positive] == g].sum() for g in ids])
    y = np.array([of_negatives[groups[~positive] == g].sum() for g in ids])
    i10, i01, i = len(set(groups[positive])), len(set(groups[~positive])), len(ids)
    s10, s01, s11 = i10 / ((i10 - 1) * m) * x @ x, i01 / ((i01 - 1) * n) * y @ y, i / (i - 1) * x @ y
    variance = s10 / m + s01 / n + 2 * s11 / (m * n)
    assert delong_interval(targets, scores[0], groups=groups).variance == pytest.approx(variance, rel=1e-12)


@pytest.mark.parametrize(("scale", "lowest"), [("plain", 0.88), ("logit", 0.92)])
def test_interval_coverage_at_a_high_auc(scale, lowest):
    generator = np.random.default_rng(8)
    true_auc, covered = 0.921350396474857, 0  # normal scores, means 2 apart: Phi(sqrt 2)
    for _ in range(400):
        scores = np.concatenate([generator.normal(2, 1, 40), generator.normal(0, 1, 80)])
        found = delong_interval(np.repeat([1, 0], [40, 80]), scores, scale=scale)
        covered += found.ci_low <= true_auc <= found.ci_high
    assert lowest <= covered / 400 <= 0.98


@pytest.mark.parametrize(("auc", "scores"), [(1.0, [3, 4, 1, 2, 0]), (0.0, [0, 1, 2, 3, 4])])
def test_perfect_separation_gives_newcombes_interval(auc, scores):
    found = delong_interval([1, 1, 0, 0, 0], scores)
    assert found.auc == auc and found.variance == 0
    assert "Newcombe" in found.method
    assert (found.ci_low, found.ci_high) == newcombe_interval(auc, 2, 3)
    assert found.ci_low < 0.5 if auc else found.ci_high > 0.5


def test_bounds_of_newcombes_interval_solve_its_equation():
    low, high = newcombe_interval(0.9, 20, 30)
    for edge in (low, high):
        variance = edge * (1 - edge) * (1 + 24 * (1 - edge) / (2 - edge) + 24 * edge / (1 + edge)) / 600
        assert abs(0.9 - edge) == pytest.approx(1.959963984540054 * variance**0.5, rel=1e-9)
    assert newcombe_interval(1.0, 20, 30)[1] == 1.0 and newcombe_interval(0.0, 20, 30)[0] == 0.0


def test_newcombes_interval_has_better_coverage_than_delongs_at_a_high_auc():
    generator, covered = np.random.default_rng(10), {"newcombe": 0, "delong": 0}
    for _ in range(300):  # true AUC 0.98 with 20 + 20 cases
        scores = np.append(generator.normal(2.9044, 1, 20), generator.normal(0, 1, 20))
        found = delong_interval(np.repeat([1, 0], 20), scores, scale="plain")
        low, high = newcombe_interval(found.auc, 20, 20)
        covered["newcombe"] += low <= 0.98 <= high
        covered["delong"] += found.ci_low <= 0.98 <= found.ci_high
    assert covered["newcombe"] >= 0.93 * 300 > covered["delong"]


@pytest.mark.parametrize(
    ("targets", "scores", "words"),
    [
        ([1, 1, 1], [1, 2, 3], "no negative"),
        ([0, 0], [1, 2], "no positive"),
        ([], [], "no positive"),
        ([1, 1, 0, 0], [5, 5, 5, 5], "all scores are equal"),
    ],
)
def test_missing_interval_is_none_with_the_reason(targets, scores, words):
    found = delong_interval(targets, scores)
    assert (found.ci_low, found.ci_high) == (None, None)
    assert words in found.method


def test_single_positive_gives_an_interval_without_variance():
    found = delong_interval([1, 0, 0, 0], [2.5, 1, 2, 3])
    assert found.auc == 2 / 3 and found.variance is None
    assert found.method == "Newcombe (no DeLong variance: only one case with a positive or negative target)"
    assert 0 < found.ci_low < 2 / 3 < found.ci_high < 1


def test_single_group_of_positives_gives_an_interval_without_variance():
    targets, scores = [1, 1, 0, 0, 0], [2.5, 2.6, 1, 2, 3]
    found = delong_interval(targets, scores, groups=["a", "a", "b", "c", "d"])
    reason = "no DeLong variance: only one group with a positive or negative target"
    assert found.method == f"Newcombe, clustered ({reason})"
    assert (found.ci_low, found.ci_high) == newcombe_interval(2 / 3, 1, 3)


@pytest.mark.parametrize(("scale", "groups"), [("logit", None), ("plain", None), ("logit", 30), ("plain", 30)])
def test_interval_is_symmetric_on_its_scale(scale, groups):
    targets, scores = example(11, n=90, curves=1)
    ids = None if groups is None else np.arange(90) % groups
    found = delong_interval(targets, scores[0], 0.9, scale, ids)
    quantile = stats.norm.ppf(0.95) if groups is None else stats.t.ppf(0.95, groups - 1)
    error = found.variance**0.5
    if scale == "logit":
        edges = [special.logit(found.auc) + side * quantile * error / (found.auc * (1 - found.auc)) for side in (-1, 1)]
        edges = special.expit(edges)
    else:
        edges = [found.auc - quantile * error, found.auc + quantile * error]
    assert (found.ci_low, found.ci_high) == pytest.approx(tuple(edges), rel=1e-12)
    assert found.method == f"DeLong, {'clustered, ' * (groups is not None)}{scale}"


def test_infinite_scores_are_ranked_and_nan_raises():
    assert delong_interval([0, 0, 1, 1], [-np.inf, 0, 1, np.inf]).auc == 1.0
    with pytest.raises(ValueError, match="NaN"):
        delong_interval([0, 1], [0.5, np.nan])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: delong_interval([0, 2], [1, 2]), r"values \[0, 2\]"),
        (lambda: delong_interval([0, 1], [1, 2, 3]), "one entry per target"),
        (lambda: delong_interval([[0, 1]], [[1, 2]]), "`targets` must be one-dimensional"),
        (lambda: delong_interval([0, 1], [0, 1], scale="log"), "`scale` must be 'plain' or 'logit'"),
        (lambda: delong_interval([0, 1], [0, 1], confidence=1), r"`confidence` must be in \(0, 1\)"),
        (lambda: delong_interval([0, 1, 1], [0, 1, 2], groups=["a", "b"]), "one entry per case"),
        (lambda: delong_covariance([1, 1], [0, 1]), "contain both 0 and 1"),
    ],
)
def test_invalid_input_raises(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_million_cases_need_linear_memory():
    generator = np.random.default_rng(9)
    targets = generator.integers(0, 2, 1_000_000)
    scores = generator.normal(size=1_000_000) + targets
    tracemalloc.start()
    found = delong_interval(targets, scores)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.auc == pytest.approx(0.7602499389065233, abs=4 * found.variance**0.5)  # Phi(1 / sqrt 2)
    assert peak < 200e6
