"""Losses agree with their definitions in NumPy, with unknown labels and extreme logits."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_radtl.models.losses import MaskedBinaryCrossentropy, make_loss
from keras_radtl.models.probabilities import mean_loss, to_probabilities

LOGITS = np.array([[0.5, -1.0, 2.0], [3.0, 0.0, -2.0], [-0.1, 0.2, 0.3], [1.0, 1.0, 1.0]], np.float32)
LABELS = np.array([[1, 0, np.nan], [np.nan, 1, 0], [np.nan] * 3, [0, 0, 1]], np.float32)
TARGETS = np.array([2, 0, 1, 1])


def softmax(logits):
    return np.array([[np.exp(v) / sum(map(np.exp, row)) for v in row] for row in logits.astype(np.float64)])


def by_hand(logits, labels):
    """Return the mean of -log p over the known labels of each case, or 0 if there are none."""
    rows = []
    for row, known in zip(logits.astype(np.float64), labels, strict=True):
        each = [
            -np.log(1 / (1 + np.exp(-v if t == 1 else v))) for v, t in zip(row, known, strict=True) if not np.isnan(t)
        ]
        rows.append(np.mean(each) if each else 0.0)
    return rows


def test_multilabel_loss_is_the_mean_over_known_labels():
    each = MaskedBinaryCrossentropy(reduction=None)(LABELS, LOGITS)
    np.testing.assert_allclose(each, by_hand(LOGITS, LABELS), rtol=1e-6)
    assert mean_loss(LOGITS, LABELS, True) == pytest.approx(np.mean(by_hand(LOGITS, LABELS)), rel=1e-12)


def test_the_gradient_is_probability_minus_label_and_zero_for_unknown_labels():
    logits = keras.Variable(LOGITS)
    with tf.GradientTape() as tape:
        loss = make_loss(True)(LABELS, logits.value)
    gradient = tape.gradient(loss, logits.value).numpy()
    known = ~np.isnan(LABELS)
    share = 1 / np.maximum(known.sum(axis=1, keepdims=True), 1) / len(LABELS)
    expected = np.where(known, (to_probabilities(LOGITS, True) - np.nan_to_num(LABELS)) * share, 0)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-8)


def test_case_weights_scale_the_loss():
    weights = np.array([1.0, 0.0, 2.0, 3.0], np.float32)
    expected = np.sum(np.array(by_hand(LOGITS, LABELS)) * weights) / 4
    assert float(make_loss(True)(LABELS, LOGITS, weights)) == pytest.approx(expected, rel=1e-6)


def test_mean_loss_equals_the_training_loss():
    expected = -np.log(softmax(LOGITS)[np.arange(4), TARGETS]).mean()
    assert mean_loss(LOGITS, TARGETS, False) == pytest.approx(expected, rel=1e-12)
    assert float(make_loss(False)(TARGETS, LOGITS)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("multilabel", [False, True])
def test_extreme_logits_stay_finite(multilabel):
    logits = np.array([[1e4, -1e4], [-1e4, 1e4]], np.float32)
    targets = np.array([[1.0, 0.0], [1.0, 0.0]], np.float32) if multilabel else np.array([0, 0])
    probabilities = to_probabilities(logits, multilabel)
    assert np.array_equal(probabilities, [[1, 0], [0, 1]])
    assert mean_loss(logits, targets, multilabel) == pytest.approx(5e3 if multilabel else 1e4)
    assert float(make_loss(multilabel)(targets, logits)) == pytest.approx(5e3 if multilabel else 1e4)


def test_the_loss_can_be_serialized():
    again = keras.losses.deserialize(keras.losses.serialize(make_loss(True)))
    assert isinstance(again, MaskedBinaryCrossentropy)
    assert float(again(LABELS, LOGITS)) == float(make_loss(True)(LABELS, LOGITS))
