"""Probabilities agree with their definitions, and the mean loss with scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss

from keras_radtl.models.probabilities import mean_loss, to_probabilities

LOGITS = np.array([[0.5, -1.0, 2.0], [3.0, 0.0, -2.0], [-0.1, 0.2, 0.3], [1.0, 1.0, 1.0]], np.float32)
TARGETS = np.array([2, 0, 1, 1])


def test_probabilities_are_softmax_or_sigmoid():
    exponentials = np.exp(LOGITS.astype(np.float64))
    classes, labels = to_probabilities(LOGITS, False), to_probabilities(LOGITS, True)
    np.testing.assert_allclose(classes, exponentials / exponentials.sum(axis=1, keepdims=True), rtol=1e-12)
    np.testing.assert_allclose(labels, exponentials / (1 + exponentials), rtol=1e-12)
    assert classes.dtype == labels.dtype == np.float64


def test_mean_loss_is_the_log_loss():
    assert mean_loss(LOGITS, TARGETS, False) == pytest.approx(
        log_loss(TARGETS, to_probabilities(LOGITS, False)), rel=1e-12
    )
    labels = np.array([[0, 1, 0], [1, 1, 0], [1, 0, 1], [0, 0, 1]], np.float32)
    flat = log_loss(labels.ravel(), to_probabilities(LOGITS, True).ravel())
    assert mean_loss(LOGITS, labels, True) == pytest.approx(flat, rel=1e-12)


def test_unknown_labels_are_ignored():
    labels = np.array([[0, 1, np.nan], [1, np.nan, np.nan], [1, 0, 1], [0, 0, 1]])
    changed = LOGITS.copy()
    changed[np.isnan(labels)] = 50.0
    assert mean_loss(LOGITS, labels, True) == mean_loss(changed, labels, True)
