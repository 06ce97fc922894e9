"""Multi-label metrics against scikit-learn, with unknown labels excluded for each label separately."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from keras_radtl.metrics.multilabel import MULTILABEL_METRICS, label_metrics, multilabel_auc, multilabel_metrics

LABELS = ("edema", "effusion", "pneumonia")


def predictions(unknown=0.2, n=150, seed=0):
    generator = np.random.default_rng(seed)
    targets = (generator.random((n, 3)) < (0.3, 0.5, 0.15)).astype(float)
    probabilities = 1 / (1 + np.exp(-(2 * targets - 1 + generator.normal(size=(n, 3)))))
    targets[generator.random((n, 3)) < unknown] = np.nan
    return targets, np.round(probabilities, 2)


def with_sklearn(targets, scores):
    known = ~np.isnan(targets)
    targets, scores = targets[known].astype(int), scores[known]
    predicted = (scores > 0.5).astype(int)
    specificity = sklearn_metrics.recall_score(1 - targets, 1 - predicted)
    return {
        "auc": sklearn_metrics.roc_auc_score(targets, scores),
        "accuracy": sklearn_metrics.accuracy_score(targets, predicted),
        "f1": sklearn_metrics.f1_score(targets, predicted),
        "sensitivity": sklearn_metrics.recall_score(targets, predicted),
        "specificity": specificity,
        "balanced_accuracy": sklearn_metrics.balanced_accuracy_score(targets, predicted),
        "average_precision": sklearn_metrics.average_precision_score(targets, scores),
        "brier": sklearn_metrics.brier_score_loss(targets, scores),
        "log_loss": sklearn_metrics.log_loss(targets, scores),
        "kappa": sklearn_metrics.cohen_kappa_score(targets, predicted),
    }


def test_values_are_the_means_of_scikit_learn_over_labels():
    targets, probabilities = predictions()
    found = multilabel_metrics(targets, probabilities, LABELS, replicates=100)
    expected = [with_sklearn(column, scores) for column, scores in zip(targets.T, probabilities.T, strict=True)]
    assert tuple(found) == MULTILABEL_METRICS
    for name in MULTILABEL_METRICS:
        assert found[name].value == pytest.approx(np.mean([one[name] for one in expected]), abs=1e-12), name
        assert found[name].ci_low < found[name].value < found[name].ci_high, name
    assert multilabel_auc(targets, probabilities) == pytest.approx(found["auc"].value, abs=1e-12)


def test_label_metrics_match_scikit_learn_on_the_known_cases():
    targets, probabilities = predictions()
    found = label_metrics(targets, probabilities, LABELS, groups=np.arange(150) // 2, replicates=50)
    for index, label in enumerate(LABELS):
        expected = with_sklearn(targets[:, index], probabilities[:, index])
        assert found[label]["accuracy"].n == np.sum(~np.isnan(targets[:, index]))
        for name in ("auc", "sensitivity", "f1"):
            assert found[label][name].value == pytest.approx(expected[name], abs=1e-12)


def test_label_without_positives_makes_the_mean_auc_undefined_and_is_named():
    targets, probabilities = predictions()
    targets[:, 2] = np.where(np.isnan(targets[:, 2]), np.nan, 0)
    found = multilabel_metrics(targets, probabilities, LABELS, replicates=50)
    assert found["auc"].value is None and "pneumonia" in found["auc"].method
    assert found["accuracy"].value is not None
    assert math.isnan(multilabel_auc(targets, probabilities))


def test_metrics_without_cases_are_none():
    found = multilabel_metrics(np.empty((0, 3)), np.empty((0, 3)), LABELS)
    assert {name: metric.value for name, metric in found.items()} == dict.fromkeys(MULTILABEL_METRICS)


@pytest.mark.parametrize(
    ("targets", "probabilities", "words"),
    [
        ([[0, 1]], [[0.1, 0.2]], "shape"),
        ([[0, 1, 2]], [[0.1, 0.2, 0.3]], "0, 1 or NaN"),
        ([[0, 1, 1]], [[0.1, 0.2, 1.3]], r"\[0, 1\]"),
        ([[0, 1, 1]], [[0.1, 0.2, np.nan]], r"\[0, 1\]"),
    ],
)
def test_invalid_input_raises(targets, probabilities, words):
    with pytest.raises(ValueError, match=words):
        multilabel_metrics(targets, probabilities, LABELS)
