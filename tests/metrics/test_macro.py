"""Macro-averaged metrics against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from keras_radtl.metrics.macro import MACRO_METRICS, macro_metrics


@pytest.mark.parametrize("classes", [2, 3, 6])
def test_values_match_scikit_learn(classes):
    generator = np.random.default_rng(classes)
    targets = np.append(np.arange(classes), generator.integers(0, classes, 80))
    scores = np.round(generator.random((len(targets), classes)) + 0.3 * np.eye(classes)[targets], 1) + 0.1
    probabilities = scores / scores.sum(axis=1, keepdims=True)
    one_hot, predicted = np.eye(classes)[targets], probabilities.argmax(axis=1)
    expected = {
        "map": sk.average_precision_score(one_hot, probabilities, average="macro"),
        "macro_accuracy": np.mean([sk.accuracy_score(targets == c, predicted == c) for c in range(classes)]),
        "macro_auroc": sk.roc_auc_score(one_hot, probabilities, average="macro"),
        "kappa": sk.cohen_kappa_score(targets, predicted),
        "macro_f1": sk.f1_score(targets, predicted, average="macro"),
    }
    found = macro_metrics(targets, probabilities)
    assert found.keys() == MACRO_METRICS.keys()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-12), name


def test_undefined_metrics_are_none():
    found = macro_metrics([0, 0], [[0.9, 0.1], [0.8, 0.2]])
    assert found == {"map": None, "macro_accuracy": 1.0, "macro_auroc": None, "kappa": None, "macro_f1": None}


@pytest.mark.parametrize(("targets", "probabilities"), [([0, 1], [[0.5, 0.5]]), ([], np.empty((0, 2))), ([0], [0.5])])
def test_invalid_input_raises(targets, probabilities):
    with pytest.raises(ValueError, match="one row per target"):
        macro_metrics(targets, probabilities)
