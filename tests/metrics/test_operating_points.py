"""Thresholds against an exhaustive search, net benefit against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from keras_radtl.metrics.operating_points import (
    at_threshold,
    decision_curve,
    roc_curve,
    sensitivity_at_specificity,
    specificity_at_sensitivity,
    youden,
)


def example(seed=0, n=120):
    """Scores with ties, in [0, 1]."""
    generator = np.random.default_rng(seed)
    targets = (np.arange(n) % 3 == 0).astype(int)
    return targets, np.round(1 / (1 + np.exp(-(generator.normal(size=n) + 1.5 * targets - 0.7))), 2)


def every_point(targets, scores):
    """Sensitivity and specificity at every threshold, by counting."""
    levels = [*np.unique(scores), scores.max() + 1]
    return [(np.mean(scores[targets == 1] >= level), np.mean(scores[targets == 0] < level)) for level in levels]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("limit", [0.0, 0.5, 0.9, 0.95, 1.0])
def test_the_best_rate_at_a_fixed_other_rate(seed, limit):
    targets, scores = example(seed)
    points = every_point(targets, scores)
    found = sensitivity_at_specificity(targets, scores, limit, replicates=20)
    assert found.sensitivity.value == max(sensitivity for sensitivity, specificity in points if specificity >= limit)
    assert found.specificity.value >= limit
    back = specificity_at_sensitivity(targets, scores, limit, replicates=20)
    assert back.specificity.value == max(specificity for sensitivity, specificity in points if sensitivity >= limit)
    assert back.sensitivity.value >= limit


@pytest.mark.parametrize("seed", range(5))
def test_youdens_point_has_the_highest_sum(seed):
    targets, scores = example(seed)
    found = youden(targets, scores)
    assert found.sensitivity.value + found.specificity.value == pytest.approx(
        max(map(sum, every_point(targets, scores)))
    )


def test_a_point_found_on_some_cases_means_the_same_on_others():
    targets, scores = example()
    found = youden(targets, scores)
    again = at_threshold(targets, scores, found.threshold)
    assert again == found
    assert (found.tp, found.fn) == (
        np.sum(scores[targets == 1] >= found.threshold),
        np.sum(scores[targets == 1] < found.threshold),
    )
    assert (found.tp + found.fn, found.tn + found.fp) == (40, 80)
    assert found.sensitivity.value == found.tp / 40 and found.sensitivity.n == 40
    assert found.sensitivity.method == "Wilson"


def test_a_specificity_that_no_score_reaches_calls_no_case_positive():
    found = sensitivity_at_specificity([0, 1, 0], [0.9, 0.4, 0.1], 1.0, replicates=20)
    assert found.tp == found.fp == 0 and np.isfinite(found.threshold)


def test_the_bootstrap_chooses_the_threshold_anew():
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
    assert "threshold chosen anew" in found.sensitivity.method


def test_the_roc_curve_spans_the_exact_area():
    targets, scores = example()
    curve = roc_curve(targets, scores)
    assert sklearn_metrics.auc(curve.false_positive_rate, curve.sensitivity) == pytest.approx(
        sklearn_metrics.roc_auc_score(targets, scores)
    )


def test_net_benefit_is_true_positives_less_priced_false_positives():
    targets, probabilities = np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.4, 0.5, 0.2, 0.1])
    found = decision_curve(targets, probabilities, [0.2, 0.5])
    #                                        tp 2, fp 2 at 1/4           tp 1, fp 1 at 1
    assert found.net_benefit == pytest.approx([(2 - 2 * 0.25) / 5, (1 - 1) / 5])
    assert found.treat_all == pytest.approx([0.4 - 0.6 * 0.25, 0.4 - 0.6])
    assert len(decision_curve(targets, probabilities).thresholds) == 99


def test_treating_all_is_the_curve_of_a_model_that_is_always_certain():
    targets, _ = example()
    found = decision_curve(targets, np.ones(len(targets)))
    np.testing.assert_allclose(found.net_benefit, found.treat_all, atol=1e-12)


@pytest.mark.parametrize(
    "call",
    [
        lambda: youden([1, 1], [0.1, 0.2]),
        lambda: roc_curve([0, 0], [0.1, 0.2]),
        lambda: sensitivity_at_specificity([0, 1], [0.1, 0.2], 95),
        lambda: specificity_at_sensitivity([0, 1], [0.1, np.inf], 0.9),
        lambda: decision_curve([0, 1], [0.1, 1.2]),
        lambda: decision_curve([0, 1], [0.1, 0.2], [0.0, 0.5]),
        lambda: decision_curve([], []),
    ],
)
def test_wrong_input_is_refused(call):
    with pytest.raises(ValueError, match="must"):
        call()
