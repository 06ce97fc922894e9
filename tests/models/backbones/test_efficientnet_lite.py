"""EfficientNet-Lite equals its reference implementation with the same weights."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from keras_radtl.models.backbones.efficientnet_lite import FEATURES, MINIMUM_SIZE, VARIANTS
from keras_radtl.models.backbones.table import get_backbone
from keras_radtl.models.weights.load import load_backbone_weights
from keras_radtl.models.weights.torch_checkpoint import read_torch_checkpoint

REFERENCE = Path(__file__).parents[2] / "reference"


STAGES = [(1, 3, 1, 16), (2, 3, 6, 24), (2, 5, 6, 40), (3, 3, 6, 80), (3, 5, 6, 112), (4, 5, 6, 192), (1, 3, 6, 320)]
REPEATS = {0: (1, 2, 2, 3, 3, 4, 1), 1: (1, 3, 3, 4, 4, 5, 1), 2: (1, 3, 3, 4, 4, 5, 1)}
FILTERS = {0: (16, 24, 40, 80, 112, 192, 320), 2: (16, 24, 48, 88, 120, 208, 352)}  # Lite1 has those of Lite0


@pytest.fixture(scope="module")
def backbones():
    """Return each variant with its ImageNet weights, as a model of scaled images of any size."""
    import keras

    built = {}
    for variant in VARIANTS:
        image = keras.Input((None, None, 3))
        built[variant.number] = model = keras.Model(image, variant.build(image))
        report = load_backbone_weights(model, get_backbone(variant.name), "imagenet")
        assert (report.source, report.unmapped) == ("imagenet", ("_fc.weight", "_fc.bias"))
        assert report.mapped == sum(len(layer.weights) for layer in model.layers)
    return built


def pooled(model, images):
    return np.asarray(model(images, training=False)).mean(axis=(1, 2))


@pytest.mark.parametrize("size", [64, 224])
def test_features_equal_those_of_the_reference(backbones, size):
    images = runpy.run_path(str(REFERENCE / "torch_features.py"))["formula_images"](size)
    expected = np.load(REFERENCE / "torch_features.npz")[f"efficientnet_lite0_{size}"]
    assert np.abs(expected).max() > 1
    np.testing.assert_allclose(pooled(backbones[0], images), expected, atol=1e-3)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_features_and_classes_of_photographs_equal_stored_results(backbones, variant, shared_data):
    golden = np.load(shared_data / f"{variant.name}_golden.npz")
    assert golden["images"].shape[1] == variant.image_size
    features = pooled(backbones[variant.number], (golden["images"].astype(np.float32) - 127) / 128)
    np.testing.assert_allclose(features, golden["features"], atol=1e-3)
    tensors = read_torch_checkpoint(variant.checkpoint())
    logits = features @ tensors["_fc.weight"].T + tensors["_fc.bias"]
    np.testing.assert_array_equal(logits.argmax(axis=1), golden["logits"].argmax(axis=1))


@pytest.mark.parametrize("number", REPEATS)
def test_the_number_of_parameters_agrees_with_the_publication(backbones, number):
    """Convolutions have in x out x k^2 (depthwise: in x k^2) parameters, BatchNorm layers four per channel."""
    count, channels = 27 * 32 + 4 * 32, 32
    for (_, kernel, expansion, _), repeats, filters in zip(STAGES, REPEATS[number], FILTERS.get(number, FILTERS[0])):
        for _ in range(repeats):
            wide = channels * expansion
            count += (channels * wide + 4 * wide) * (expansion > 1) + wide * kernel**2 + 4 * wide
            count += wide * filters + 4 * filters
            channels = filters
    assert backbones[number].count_params() == count + channels * 1280 + 4 * 1280


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_stage_boundaries_are_in_the_order_of_the_model(backbones, variant):
    names = [layer.name for layer in backbones[variant.number].layers]
    positions = [names.index(layer) for _, layer in variant.stages]
    assert positions == sorted(positions)
    assert positions[-1] == len(names) - 1


def test_the_minimum_size_gives_a_1x1_feature_map(backbones):
    for backbone in backbones.values():
        assert backbone(np.zeros((1, MINIMUM_SIZE, MINIMUM_SIZE, 3), np.float32)).shape == (1, 1, 1, FEATURES)
