"""Mean and standard deviation of the channels of several feature maps."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_radtl.models.layers.stage_pooling import StagePooling

RNG = np.random.default_rng(0)
MAPS = [RNG.normal(3, 2, (2, 8, 6, 5)).astype("float32"), RNG.normal(0, 1, (2, 1, 1, 3)).astype("float32")]


def test_features_are_means_and_standard_deviations_of_each_map():
    features = StagePooling()(MAPS).numpy()
    expected = [f(maps.astype(float)) for maps in MAPS for f in (lambda m: m.mean((1, 2)), lambda m: m.std((1, 2)))]
    np.testing.assert_allclose(features, np.concatenate(expected, axis=1), atol=1.1e-3)  # EPSILON of a 1 x 1 map
    assert features.shape == StagePooling().compute_output_shape([maps.shape for maps in MAPS]) == (2, 16)


def test_a_constant_channel_has_a_finite_gradient():
    maps = tf.Variable(np.ones((1, 4, 4, 2), "float32"))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(StagePooling()([maps]))
    assert np.isfinite(tape.gradient(total, maps).numpy()).all()


def test_half_precision_maps_are_pooled_in_float32():
    maps = (1000 + RNG.normal(0, 1, (1, 16, 16, 2))).astype("float16")
    features = StagePooling(dtype="float32")([tf.constant(maps)]).numpy()
    assert features.dtype == np.float32
    np.testing.assert_allclose(features[0, 2:], maps.astype(float).std((1, 2))[0], rtol=1e-3)


def test_a_single_tensor_is_refused():
    with pytest.raises(ValueError, match="list of feature maps"):
        StagePooling()(MAPS[0])


def test_it_survives_saving(tmp_path):
    inputs = [keras.Input(maps.shape[1:]) for maps in MAPS]
    model = keras.Model(inputs, StagePooling(name="pooling")(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(MAPS), model(MAPS))
