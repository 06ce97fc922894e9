"""Metrics of weighted cases against scikit-learn with `sample_weight`."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from keras_radtl.metrics.weighted import Confusion, Ranking, ratio, weighted_mean


@pytest.fixture(params=[0, 1, 8], ids=lambda decimals: f"{decimals} decimals")
def data(request):
    """Return labels, scores with more or fewer ties, and three rows of weights: ones, counts and positive numbers."""
    generator = np.random.default_rng(request.param)
    positive = generator.random(70) < 0.4
    scores = np.round(generator.normal(size=70) + positive, request.param)
    counts = np.bincount(generator.integers(0, 70, 70), minlength=70)
    return positive, scores, np.stack([np.ones(70), counts, generator.exponential(size=70)])


@pytest.mark.parametrize(
    ("method", "theirs"),
    [("auc", sklearn_metrics.roc_auc_score), ("average_precision", sklearn_metrics.average_precision_score)],
)
def test_areas_match_scikit_learn(data, method, theirs):
    positive, scores, weights = data
    expected = [theirs(positive, scores, sample_weight=row) for row in weights]
    np.testing.assert_allclose(getattr(Ranking(positive, scores), method)(weights), expected, rtol=1e-12)


def test_rates_match_scikit_learn_at_every_threshold(data):
    positive, scores, weights = data
    sensitivity, specificity = Ranking(positive, scores).rates(weights)
    assert sensitivity.shape == specificity.shape == (3, 1 + len(np.unique(scores)))
    for row, found, other in zip(weights, sensitivity, specificity, strict=True):
        if (row > 0).all():  # scikit-learn drops the thresholds of cases with weight 0
            fpr, tpr, _ = sklearn_metrics.roc_curve(positive, scores, sample_weight=row, drop_intermediate=False)
            np.testing.assert_allclose(found, tpr, atol=1e-12)
            np.testing.assert_allclose(other, 1 - fpr, atol=1e-12)


def test_confusion_matches_scikit_learn(data):
    positive, scores, weights = data
    predicted = scores >= 0.5
    found = Confusion(weights, positive, predicted)
    for k, row in enumerate(weights):
        table = sklearn_metrics.confusion_matrix(positive, predicted, sample_weight=row)
        np.testing.assert_allclose([[found.tn[k], found.fp[k]], [found.fn[k], found.tp[k]]], table, rtol=1e-12)
        expected = {
            "sensitivity": sklearn_metrics.recall_score(positive, predicted, sample_weight=row),
            "specificity": sklearn_metrics.recall_score(~positive, ~predicted, sample_weight=row),
            "f1": sklearn_metrics.f1_score(positive, predicted, sample_weight=row),
            "accuracy": sklearn_metrics.accuracy_score(positive, predicted, sample_weight=row),
            "kappa": sklearn_metrics.cohen_kappa_score(positive, predicted, sample_weight=row),
        }
        assert {name: getattr(found, name)()[k] for name in expected} == pytest.approx(expected, rel=1e-12)


def test_weighted_mean_matches_numpy(data):
    _, scores, weights = data
    expected = [np.average(scores, weights=row) for row in weights]
    np.testing.assert_allclose(weighted_mean(weights, scores), expected, rtol=1e-12)


def test_counts_as_weights_equal_repeated_cases(data):
    positive, scores, weights = data
    repeated = np.repeat(np.arange(70), weights[1].astype(int))
    ones = np.ones((1, len(repeated)))
    for method in ("auc", "average_precision"):
        found = getattr(Ranking(positive, scores), method)(weights[1:2])
        assert found == pytest.approx(getattr(Ranking(positive[repeated], scores[repeated]), method)(ones), rel=1e-12)


def test_metrics_without_the_cases_they_need_are_nan():
    positive, scores = np.array([True, True, False]), np.array([0.1, 0.7, 0.4])
    ranking = Ranking(positive, scores)
    only_positives, only_negatives = np.array([[1.0, 1.0, 0.0]]), np.array([[0.0, 0.0, 1.0]])
    assert np.isnan(ranking.auc(only_positives)) and np.isnan(ranking.auc(only_negatives))
    assert np.isnan(ranking.average_precision(only_negatives))
    assert np.isnan(ranking.rates(only_negatives)[0]).all() and np.isnan(ranking.rates(only_positives)[1]).all()
    table = Confusion(only_negatives, positive, np.zeros(3, bool))
    assert np.isnan(table.sensitivity()) and np.isnan(table.f1()) and np.isnan(table.kappa())
    assert table.specificity() == table.accuracy() == 1


def test_ratio_is_nan_where_the_denominator_is_0():
    np.testing.assert_array_equal(ratio(np.array([1.0, 0.0, 3.0]), np.array([0.0, 0.0, 2.0])), [np.nan, np.nan, 1.5])
