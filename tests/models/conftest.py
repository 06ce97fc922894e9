"""Small classifiers with random weights, built once for all tests."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

import numpy as np
import pytest

LARGE = {"densenet121", "inception_v3", "inception_resnet_v2", "resnet50"}
_MODEL_FIXTURES = {"small_classifier", "application", "case"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark tests that build a large backbone as slow; the same tests run with smaller backbones."""
    for item in items:
        if Path(__file__).parent not in item.path.parents:  # pytest passes the items of all folders
            continue
        parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
        names = {name for value in parameters if isinstance(value, str) for name in value.split("+")}
        if names & LARGE and _MODEL_FIXTURES & set(item.fixturenames):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def small_classifier():
    """Return a function that gives a backbone's classifier at minimum size, with a linear head for two classes.

    Tests share the models. They may change trainable layers and weights, but not the graph. On each call, the BatchNorm
    layers are set to use moving statistics.
    """
    from keras_radtl.config import HeadConfig, ModelConfig
    from keras_radtl.models.backbones.table import get_backbone
    from keras_radtl.models.classifier import build_classifier
    from keras_radtl.models.layers.batchnorm import BackboneBatchNormalization

    built = {}

    def get(name):
        if name not in built:
            size = max(get_backbone(part).minimum_size for part in name.split("+"))
            config = ModelConfig(backbone=name, weights="none", scaling="tf", head=HeadConfig("linear"))
            built[name] = build_classifier(config, 2, (size, size, 3), seed=0)
            calibrate(built[name])
        for layer in built[name].layers:
            if isinstance(layer, BackboneBatchNormalization):
                layer.statistics = "inference"
        return built[name]

    return get


def calibrate(model):
    """Set the moving statistics to those of a batch, so that signals do not vanish in deep random networks."""
    from keras_radtl.models.layers.batchnorm import BackboneBatchNormalization

    layers = [layer for layer in model.layers if isinstance(layer, BackboneBatchNormalization)]
    before = [(layer.statistics, layer.momentum) for layer in layers]
    for layer in layers:
        layer.statistics, layer.momentum = "adapt", 0.0
    model(np.random.default_rng(1).integers(0, 256, (8, *model.input_shape[1:]), dtype="uint8"), training=True)
    for layer, (statistics, momentum) in zip(layers, before, strict=True):
        layer.statistics, layer.momentum = statistics, momentum


@pytest.fixture(scope="session")
def application():
    """Return a function that gives the pooled `keras.applications` model of a backbone at minimum size."""
    import keras

    from keras_radtl.models.backbones.table import get_backbone

    built = {}

    def get(name):
        if name not in built:
            spec = get_backbone(name)
            shape = (spec.minimum_size, spec.minimum_size, 3)
            make = getattr(keras.applications, spec.display_name)
            built[name] = make(weights=None, include_top=False, pooling="avg", input_shape=shape)
        return built[name]

    return get


@pytest.fixture(scope="session")
def images():
    """Return a function that gives four random uint8 images for a model."""

    def get(model):
        return np.random.default_rng(0).integers(0, 256, (4, *model.input_shape[1:]), dtype="uint8")

    return get
