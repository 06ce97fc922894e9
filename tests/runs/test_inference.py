"""Predictions for batches of any size, in order and in inference mode."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_radtl.runs.inference import Predictor


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    image = keras.Input((4, 4, 1), dtype="uint8")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
    return keras.Model(image, keras.layers.Dense(3)(keras.layers.Dropout(0.5)(x)))


PIXELS = np.random.default_rng(0).integers(0, 256, (10, 4, 4, 1), np.uint8)


@pytest.mark.parametrize("size", [1, 3, 10])
def test_any_batch_size_in_inference_mode(model, size):
    found = Predictor(model)(PIXELS[start : start + size] for start in range(0, 10, size))
    assert found.shape == (10, 3) and found.dtype == np.float32
    np.testing.assert_allclose(found, model(PIXELS, training=False), atol=1e-6)


def test_model_is_traced_once(model):
    predictor = Predictor(model)
    predictor([PIXELS[:3], PIXELS[3:4], PIXELS[4:]])
    assert predictor.step.experimental_get_tracing_count() == 1


def test_empty_input_and_progress(model):
    done = []
    assert Predictor(model)([]).shape == (0, 3)
    Predictor(model)([PIXELS[:3], PIXELS[3:]], done.append)
    assert done == [3, 7]
