"""EfficientNet-Lite0 equals its reference implementation with the same weights."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from keras_radtl.models.backbones import efficientnet_lite
from keras_radtl.models.backbones.table import get_backbone
from keras_radtl.models.weights.load import load_backbone_weights
from keras_radtl.models.weights.torch_checkpoint import read_torch_checkpoint

REFERENCE = Path(__file__).parents[2] / "reference"


@pytest.fixture(scope="module")
def backbone():
    import keras

    image = keras.Input((None, None, 3))
    model = keras.Model(image, efficientnet_lite.efficientnet_lite0(image))
    report = load_backbone_weights(model, get_backbone("efficientnet_lite0"), "imagenet")
    assert (report.source, report.mapped, report.unmapped) == ("imagenet", 245, ("_fc.weight", "_fc.bias"))
    return model


def pooled(model, images):
    return np.asarray(model(images, training=False)).mean(axis=(1, 2))


@pytest.mark.parametrize("size", [64, 224])
def test_features_equal_those_of_the_reference(backbone, size):
    images = runpy.run_path(str(REFERENCE / "torch_features.py"))["formula_images"](size)
    expected = np.load(REFERENCE / "torch_features.npz")[f"efficientnet_lite0_{size}"]
    assert np.abs(expected).max() > 1
    np.testing.assert_allclose(pooled(backbone, images), expected, atol=1e-3)


def test_features_and_classes_of_photographs_equal_stored_results(backbone, shared_data):
    golden = np.load(shared_data / "efficientnet_lite0_golden.npz")
    features = pooled(backbone, (golden["images"].astype(np.float32) - 127) / 128)
    np.testing.assert_allclose(features, golden["features"], atol=1e-3)
    tensors = read_torch_checkpoint(efficientnet_lite.package_checkpoint())
    logits = features @ tensors["_fc.weight"].T + tensors["_fc.bias"]
    np.testing.assert_array_equal(logits.argmax(axis=1), golden["logits"].argmax(axis=1))


def test_the_number_of_parameters_agrees_with_the_paper(backbone):
    """Convolutions have in x out x k^2 (depthwise: in x k^2) parameters, BatchNorm layers four per channel."""
    rows = [(1, 3, 1, 16), (2, 3, 6, 24), (2, 5, 6, 40), (3, 3, 6, 80), (3, 5, 6, 112), (4, 5, 6, 192), (1, 3, 6, 320)]
    count, channels = 27 * 32 + 4 * 32, 32
    for repeats, kernel, expansion, filters in rows:
        for _ in range(repeats):
            wide = channels * expansion
            count += (channels * wide + 4 * wide) * (expansion > 1) + wide * kernel**2 + 4 * wide
            count += wide * filters + 4 * filters
            channels = filters
    assert backbone.count_params() == count + 320 * 1280 + 4 * 1280


def test_stage_boundaries_are_in_the_order_of_the_model(backbone):
    names = [layer.name for layer in backbone.layers]
    positions = [names.index(layer) for _, layer in efficientnet_lite.STAGES]
    assert positions == sorted(positions)
    assert positions[-1] == len(names) - 1


def test_the_minimum_size_gives_a_1x1_feature_map(backbone):
    size = efficientnet_lite.MINIMUM_SIZE
    assert backbone(np.zeros((1, size, size, 3), np.float32)).shape == (1, 1, 1, efficientnet_lite.FEATURES)
