"""Operating points against an exhaustive search, decision curves against the definition of net benefit."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from keras_radtl.metrics.operating_points import (
    decision_curve,
    operating_point,
    roc_curve,
    sensitivity_at_specificity,
    specificity_at_sensitivity,
    youden_point,
)


def example(seed=0, n=120):
    """Return targets and scores in [0, 1] with ties."""
    generator = np.random.default_rng(seed)
    targets = (np.arange(n) % 3 == 0).astype(int)
    return targets, np.round(1 / (1 + np.exp(-(generator.normal(size=n) + 1.5 * targets - 0.7))), 2)


def every_point(targets, scores):
    """Return sensitivity and specificity at every threshold, by counting."""
    levels = [*np.unique(scores), scores.max() + 1]
    return [(np.mean(scores[targets == 1] >= level), np.mean(scores[targets == 0] < level)) for level in levels]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("limit", [0.0, 0.5, 0.9, 0.95, 1.0])
def test_best_rate_given_the_other_rate_matches_exhaustive_search(seed, limit):
    targets, scores = example(seed)
    points = every_point(targets, scores)
    found = sensitivity_at_specificity(targets, scores, limit, replicates=20)
    assert found.sensitivity.value == max(sensitivity for sensitivity, specificity in points if specificity >= limit)
    assert found.specificity.value >= limit
    back = specificity_at_sensitivity(targets, scores, limit, replicates=20)
    assert back.specificity.value == max(specificity for sensitivity, specificity in points if sensitivity >= limit)
    assert back.sensitivity.value >= limit


@pytest.mark.parametrize("seed", range(5))
def test_youden_point_maximizes_the_sum_of_both_rates(seed):
    targets, scores = example(seed)
    found = youden_point(targets, scores)
    assert found.sensitivity.value + found.specificity.value == pytest.approx(
        max(map(sum, every_point(targets, scores)))
    )


def test_operating_point_reproduces_a_chosen_threshold():
    targets, scores = example()
    found = youden_point(targets, scores)
    again = operating_point(targets, scores, found.threshold)
    assert again == found
    assert (found.tp, found.fn) == (
        np.sum(scores[targets == 1] >= found.threshold),
        np.sum(scores[targets == 1] < found.threshold),
    )
    assert (found.tp + found.fn, found.tn + found.fp) == (40, 80)
    assert found.sensitivity.value == found.tp / 40 and found.sensitivity.n == 40
    assert found.sensitivity.method == "Wilson"


def test_groups_make_the_intervals_of_an_operating_point_clustered():
    targets, scores = example()
    groups = np.arange(120) // 3
    for found in (operating_point(targets, scores, 0.5, groups=groups), youden_point(targets, scores, groups=groups)):
        assert (found.sensitivity.method, found.specificity.method) == ("Wilson, clustered",) * 2
    chosen = sensitivity_at_specificity(targets, scores, 0.9, groups, replicates=50)
    assert chosen.specificity.method == "Wilson, clustered" and "clustered" in chosen.sensitivity.method


def test_specificity_that_no_score_reaches_gives_no_positive_prediction():
    found = sensitivity_at_specificity([0, 1, 0], [0.9, 0.4, 0.1], 1.0, replicates=20)
    assert found.tp == found.fp == 0 and np.isfinite(found.threshold)


def test_bootstrap_chooses_a_threshold_in_each_sample():
    targets, scores = example(n=60)
    found = sensitivity_at_specificity(targets, scores, 0.9, replicates=400, seed=3)
    generator, samples = np.random.default_rng(8), []
    while len(samples) < 400:
        rows = generator.integers(0, 60, 60)
        if 0 < targets[rows].sum() < 60:
            samples.append(max(se for se, sp in every_point(targets[rows], scores[rows]) if sp >= 0.9 - 1e-9))
    assert (found.sensitivity.ci_low, found.sensitivity.ci_high) == pytest.approx(
        np.quantile(samples, [0.025, 0.975]), abs=0.1
    )
    assert "threshold chosen in each sample" in found.sensitivity.method


def test_area_under_the_roc_curve_matches_scikit_learn():
    targets, scores = example()
    curve = roc_curve(targets, scores)
    assert sklearn_metrics.auc(curve.false_positive_rate, curve.sensitivity) == pytest.approx(
        sklearn_metrics.roc_auc_score(targets, scores)
    )


def test_net_benefit_of_a_worked_example():
    targets, probabilities = np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.4, 0.5, 0.2, 0.1])
    found = decision_curve(targets, probabilities, [0.2, 0.5])
    # threshold 0.2: 2 true and 2 false positives, cost 1/4; threshold 0.5: 1 true and 1 false positive, cost 1
    assert found.net_benefit == pytest.approx([(2 - 2 * 0.25) / 5, (1 - 1) / 5])
    assert found.treat_all == pytest.approx([0.4 - 0.6 * 0.25, 0.4 - 0.6])
    assert len(decision_curve(targets, probabilities).thresholds) == 99


def test_treat_all_is_the_curve_of_a_model_that_always_predicts_1():
    targets, _ = example()
    found = decision_curve(targets, np.ones(len(targets)))
    np.testing.assert_allclose(found.net_benefit, found.treat_all, atol=1e-12)


def test_operating_point_without_a_class_is_undefined_with_the_reason():
    found = operating_point([0, 0], [0.2, 0.7], 0.5)
    assert found.sensitivity.value is None and found.sensitivity.method == "undefined: no positive case"
    assert (found.specificity.value, found.tp, found.fp, found.tn, found.fn) == (0.5, 0, 1, 1, 0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: youden_point([1, 1], [0.1, 0.2]), "contain both 0 and 1"),
        (lambda: roc_curve([0, 0], [0.1, 0.2]), "contain both 0 and 1"),
        (lambda: sensitivity_at_specificity([0, 1], [0.1, 0.2], 95), r"`specificity` must be in \[0, 1\]"),
        (lambda: specificity_at_sensitivity([0, 1], [0.1, np.inf], 0.9), "`scores` must be finite"),
        (lambda: decision_curve([0, 1], [0.1, 1.2]), r"`probabilities` must be in \[0, 1\]"),
        (lambda: decision_curve([0, 1], [0.1, 0.2], [0.0, 0.5]), r"`thresholds` must be in \(0, 1\)"),
        (lambda: decision_curve([], []), "at least one case"),
    ],
)
def test_invalid_input_raises(call, message):
    with pytest.raises(ValueError, match=message):
        call()
