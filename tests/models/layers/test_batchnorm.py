"""BatchNorm whose statistics are independent of `trainable`."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_radtl.models.layers.batchnorm import BackboneBatchNormalization

X = np.random.default_rng(0).normal(3, 2, (8, 4, 4, 5)).astype("float32")
SETTINGS = {"momentum": 0.9, "epsilon": 1e-3, "axis": -1}


def make(statistics, trainable=True, **kwargs):
    layer = BackboneBatchNormalization(statistics, **(SETTINGS | kwargs))
    layer.build(X.shape)
    layer.moving_mean.assign(np.arange(layer.moving_mean.shape[0]))
    layer.trainable = trainable
    return layer


@pytest.mark.parametrize("trainable", [True, False])
def test_inference_uses_the_moving_statistics_unchanged(trainable):
    layer = make("inference", trainable)
    before = layer.get_weights()
    trained = layer(X, training=True)
    assert all(np.array_equal(a, b) for a, b in zip(before, layer.weights, strict=True))
    np.testing.assert_allclose(trained, (X - np.arange(5)) / np.sqrt(1 + 1e-3), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("trainable", [True, False])
def test_adapt_uses_batch_statistics_and_updates_the_moving_statistics(trainable):
    layer, keras_layer = make("adapt", trainable), keras.layers.BatchNormalization(**SETTINGS)
    keras_layer.build(X.shape)
    keras_layer.moving_mean.assign(np.arange(5.0))
    np.testing.assert_allclose(layer(X, training=True), keras_layer(X, training=True), rtol=1e-5, atol=1e-5)
    for own, theirs in zip(layer.weights, keras_layer.weights, strict=True):
        np.testing.assert_allclose(own, theirs, rtol=1e-6)
    assert not np.array_equal(layer.moving_mean, np.arange(5.0))


@pytest.mark.parametrize("statistics", ["inference", "adapt"])
def test_prediction_uses_moving_statistics(statistics):
    layer = make(statistics)
    np.testing.assert_array_equal(layer(X), make("inference")(X))
    np.testing.assert_array_equal(layer.moving_mean, np.arange(5.0))


@pytest.mark.parametrize("statistics", ["inference", "adapt"])
@pytest.mark.parametrize("trainable", [True, False])
def test_scale_and_offset_have_gradients_only_if_trainable(statistics, trainable):
    layer = make(statistics, trainable)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(layer(X, training=True) ** 3)
    gradients = tape.gradient(loss, layer.trainable_variables)
    assert len(gradients) == (2 if trainable else 0)
    assert all(np.abs(g).max() > 0 for g in gradients)


def test_a_layer_without_scale_on_another_axis():
    layer = make("adapt", scale=False, axis=1)
    normal = np.asarray(layer(X, training=True))
    np.testing.assert_allclose(normal.mean(axis=(0, 2, 3)), 0, atol=1e-5)


def test_adapt_computes_in_float32_under_mixed_precision():
    layer = make("adapt", dtype="mixed_float16")
    out = layer((X * 1000).astype("float16"), training=True)
    assert out.dtype == tf.float16
    assert np.isfinite(np.asarray(out)).all()
    assert layer.moving_variance.dtype == "float32"


def test_the_layer_can_be_serialized():
    layer = make("adapt", name="conv1_bn")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()
    assert again.statistics == "adapt"


def test_unknown_statistics_are_refused():
    with pytest.raises(ValueError, match="`statistics` must be one of inference, adapt. Received: statistics='train'"):
        BackboneBatchNormalization("train")
