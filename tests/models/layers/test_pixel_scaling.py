"""Pixel scaling agrees with the preprocessing of Keras and of the publications."""

import keras
import numpy as np
import pytest

from keras_radtl.models.layers.pixel_scaling import SCALINGS, PixelScaling

PIXELS = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), dtype="uint8")
MEAN = np.array([103.939, 116.779, 123.68])


def bgr_mean_255(pixels):
    """Scale as the image generator in the RadImageNet scripts: preprocessing function, then rescaling."""
    return keras.applications.imagenet_utils.preprocess_input(pixels.astype("float32")) * (1 / 255)


ORACLES = {
    "caffe": lambda x: keras.applications.resnet50.preprocess_input(x.astype("float32")),
    "torch": lambda x: keras.applications.densenet.preprocess_input(x.astype("float32")),
    "tf": lambda x: keras.applications.inception_v3.preprocess_input(x.astype("float32")),
    "minus1_1": lambda x: x / 255 * 2 - 1,
    "lite": lambda x: (x.astype("float64") - 127) / 128,
    "bgr_mean_255": bgr_mean_255,
    "bacon": lambda x: (x[..., ::-1] - MEAN) / 255 / np.array([0.225, 0.224, 0.229]),
    "zero_one": lambda x: x / 255,
    "none": lambda x: x.astype("float64"),
}


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_scaled_pixels_equal_the_original_preprocessing(scaling, dtype):
    scaled = np.asarray(PixelScaling(scaling)(PIXELS.astype(dtype)))
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, ORACLES[scaling](PIXELS), rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_grayscale_equals_three_equal_channels(scaling):
    gray = PIXELS[..., :1]
    layer = PixelScaling(scaling)
    np.testing.assert_array_equal(layer(gray), PixelScaling(scaling)(np.repeat(gray, 3, axis=-1)))
    assert layer.compute_output_shape((None, 5, 4, 1)) == (None, 5, 4, 3)


def test_scaling_stays_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        scaled = PixelScaling("caffe")(PIXELS)
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_array_equal(scaled, PixelScaling("caffe")(PIXELS))


def test_the_layer_can_be_serialized():
    layer = PixelScaling("bacon", "resnet50", name="scaling")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()
    np.testing.assert_array_equal(again(PIXELS), layer(PIXELS))


@pytest.mark.parametrize("shape", [(2, 5, 4, 2), (2, 5, 4)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="batch, height, width, 1 or 3"):
        PixelScaling("tf")(np.zeros(shape, "uint8"))
