"""Losses against the formulas with probabilities, in float64; what is unknown counts for nothing."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_radtl.config import TrainingConfig
from keras_radtl.models.losses import focal_exponent, make_loss, mean_loss, probabilities

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(scale=3, size=(40, 3)).astype("float32")
CLASSES = RANDOM.integers(0, 3, 40).astype("int32")
LABELS = RANDOM.integers(0, 2, (40, 3)).astype("float32")
LABELS[RANDOM.random((40, 3)) < 0.3] = np.nan
LABELS[5] = np.nan  # a case of which nothing is known
WEIGHTS = np.array([[0.5, 4.0], [1.0, 1.0], [0.75, 1.5]])
gammas = pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])


def softmax_focal(gamma):
    p = probabilities(LOGITS, False)[np.arange(40), CLASSES]
    return -((1 - p) ** gamma) * np.log(p)


def sigmoid_focal(gamma, weights=((1, 1),) * 3):
    p = probabilities(LOGITS, True)
    cases = []
    for row, truth in zip(p, LABELS, strict=True):
        terms = [
            weights[i][int(y)] * -((1 - q) ** gamma) * np.log(q)
            for i, (chance, y) in enumerate(zip(row, truth, strict=True))
            if not np.isnan(y)
            for q in [chance if y == 1 else 1 - chance]
        ]
        cases.append(np.mean(terms) if terms else 0.0)
    return np.array(cases)


def each(loss, targets):
    loss.reduction = None
    return np.asarray(loss(targets, LOGITS))


@gammas
def test_softmax_loss_is_that_of_the_formula(gamma):
    np.testing.assert_allclose(each(make_loss(False, gamma), CLASSES), softmax_focal(gamma), rtol=1e-4, atol=1e-6)
    assert mean_loss(LOGITS, CLASSES, False, gamma) == pytest.approx(softmax_focal(gamma).mean(), rel=1e-9)


@gammas
def test_sigmoid_loss_is_that_of_the_formula_over_known_labels(gamma):
    np.testing.assert_allclose(each(make_loss(True, gamma), LABELS), sigmoid_focal(gamma), rtol=1e-4, atol=1e-6)
    assert mean_loss(LOGITS, LABELS, True, gamma) == pytest.approx(sigmoid_focal(gamma).mean(), rel=1e-9)


@gammas
def test_labels_weigh_by_whether_they_are_present(gamma):
    loss = make_loss(True, gamma, WEIGHTS)
    np.testing.assert_allclose(each(loss, LABELS), sigmoid_focal(gamma, WEIGHTS), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_gradients_are_finite_far_from_and_at_the_truth(multilabel, gamma):
    import tensorflow as tf

    logits = tf.Variable([[80.0, -80.0], [-80.0, 80.0], [0.0, 0.0], [1e4, -1e4]])
    targets = np.array([[1, 0], [1, 0], [0, np.nan], [0, 1]], "float32") if multilabel else np.array([0, 0, 1, 1])
    with tf.GradientTape() as tape:
        value = make_loss(multilabel, gamma)(targets, logits)
    gradient = tape.gradient(value, logits).numpy()
    assert np.isfinite(value) and np.isfinite(gradient).all()
    assert gradient[1, 0] < 0  # a wrong case pulls
    assert not multilabel or gradient[2, 1] == 0  # an unknown label does not


@pytest.mark.parametrize("multilabel", [False, True])
def test_a_loss_is_made_again_from_its_configuration(multilabel):
    loss = make_loss(multilabel, 1.5, WEIGHTS if multilabel else None)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    targets = LABELS if multilabel else CLASSES
    assert float(again(targets, LOGITS)) == float(loss(targets, LOGITS))


def test_half_precision_logits_are_judged_in_float32():
    half = LOGITS.astype("float16")
    assert keras.backend.standardize_dtype(make_loss(True, 2.0)(LABELS, half).dtype) == "float32"


def test_the_exponent_is_that_of_the_configured_loss():
    assert focal_exponent(TrainingConfig(focal_gamma=3.0)) == 0
    assert focal_exponent(TrainingConfig(loss="focal", focal_gamma=3.0)) == 3
