"""Classifiers with reused backbones equal classifiers with newly built ones."""

from __future__ import annotations

import gc
import weakref

import keras
import numpy as np
import pytest

from keras_radtl.config import HeadConfig, ModelConfig
from keras_radtl.models.backbone_cache import BackboneCache
from keras_radtl.models.classifier import build_classifier
from keras_radtl.models.groups import set_trainable
from keras_radtl.models.prefix import cut

LINEAR = ModelConfig(backbone="tiny", weights="none", head=HeadConfig("linear"))
NONLINEAR = ModelConfig(backbone="tiny", weights="none", head=HeadConfig("nonlinear"))


@pytest.fixture
def build(tiny_backbone):
    """Return a function that builds a classifier for 16x16 grayscale images."""
    return lambda config=LINEAR, seed=0, **options: build_classifier(config, 2, (16, 16, 1), seed, **options)


def train(model):
    """Train all layers for one epoch."""
    set_trainable(model, [layer.name for layer in model.layers if layer.weights and layer.name != "head"])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 1), "uint8")
    model.fit(images, np.arange(8) % 2, verbose=0)


def assert_same(model, other):
    assert [(v.path, v.shape) for v in model.weights] == [(v.path, v.shape) for v in other.weights]
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), other.get_weights(), strict=True))
    assert model.to_json() == other.to_json()


def test_training_does_not_affect_the_next_classifier(build):
    backbone_cache = BackboneCache()
    first = build(make_backbones=backbone_cache)
    before = first.get_weights()
    train(first)
    assert not any(np.array_equal(a, b) for a, b in zip(before[:3], first.get_weights()[:3], strict=True))
    second = build(NONLINEAR, make_backbones=backbone_cache)
    assert second.layers[1] is first.layers[1], "reused, not rebuilt"
    assert_same(second, build(NONLINEAR))


def test_reused_backbones_can_be_cut_and_saved(build, tmp_path):
    backbone_cache, images = BackboneCache(), np.random.default_rng(0).integers(0, 256, (3, 16, 16, 1), "uint8")
    for unfrozen in (1, 0):
        model = build(make_backbones=backbone_cache)
        backbone = [layer.name for layer in model.layers if layer.weights and layer.name != "head"]
        set_trainable(model, backbone[len(backbone) - unfrozen :])
        parts = cut(model)
        np.testing.assert_array_equal(parts.upper(parts.lower(images)), model(images))
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "model.keras")(images), model(images))


def test_release_frees_the_previous_classifier(build):
    backbone_cache = BackboneCache()
    model = build(NONLINEAR, make_backbones=backbone_cache)
    train(model)
    head = weakref.ref(model.get_layer("head"))
    del model
    backbone_cache.release()
    gc.collect()
    assert head() is None


@pytest.mark.parametrize(
    "options",
    [
        {"seed": 1},
        {"load_weights": False},
        {"config": ModelConfig(backbone="tiny", weights="none", batchnorm="adapt", head=HeadConfig("linear"))},
    ],
)
def test_different_backbones_are_newly_built(build, options):
    backbone_cache = BackboneCache()
    first = build(make_backbones=backbone_cache)
    second = build(**options, make_backbones=backbone_cache)
    assert second.layers[2] is not first.layers[2]
    assert_same(second, build(**options))


def test_clear_removes_the_stored_backbones(build):
    backbone_cache = BackboneCache()
    first = build(make_backbones=backbone_cache)
    backbone_cache.clear()
    assert build(make_backbones=backbone_cache).layers[2] is not first.layers[2]


@pytest.mark.parametrize(("momentum", "expected"), [(None, 0.99), (0.9, 0.9)])
def test_the_momentum_of_batchnorm_is_an_option(tiny_backbone, momentum, expected):
    from keras_radtl.config import HeadConfig, ModelConfig
    from keras_radtl.models.classifier import build_classifier

    head = HeadConfig("linear")
    config = ModelConfig("tiny", weights="none", batchnorm="adapt", batchnorm_momentum=momentum, head=head)
    model = build_classifier(config, 2, (16, 16, 1), seed=0)
    assert {layer.momentum for layer in model.layers if hasattr(layer, "statistics")} == {expected}
