"""The backbone of the statistical baselines returns the image."""

from __future__ import annotations

import numpy as np
import pytest

from keras_radtl.config import HeadConfig, ModelConfig, UserError
from keras_radtl.models.backbones.branches import branches
from keras_radtl.models.classifier import build_classifier
from keras_radtl.models.layers.grey_pixels import GreyPixels


@pytest.mark.parametrize("channels", [1, 3])
def test_features_are_the_grey_pixels_between_0_and_1(channels):
    config = ModelConfig("pixels", "none", head=HeadConfig("linear", pooling="flatten"))
    model = build_classifier(config, 2, (8, 6, channels), seed=0)
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 6, channels), np.uint8)
    kernel, bias = (weight.numpy() for weight in model.get_layer("head").weights)
    expected = (images.mean(axis=-1) / 255).reshape(3, -1) @ kernel + bias
    np.testing.assert_allclose(model(images), expected, atol=1e-5)


def test_shape_of_the_output():
    assert GreyPixels().compute_output_shape((None, 8, 6, 3)) == (None, 8, 6, 1)


@pytest.mark.parametrize("weights", ["imagenet", "some.weights.h5"])
def test_pixels_have_no_weights(weights):
    with pytest.raises(UserError, match="`weights` must be none for Pixels, which has no weights. Received: '"):
        branches(ModelConfig("pixels", weights))
