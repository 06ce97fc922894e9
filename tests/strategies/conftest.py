"""A tiny classifier and a batch to train it."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def make_classifier(tiny_backbone):
    """Return a function that builds a tiny classifier with a linear head for two classes."""
    from keras_radtl.config import HeadConfig, ModelConfig
    from keras_radtl.models.classifier import build_classifier

    def make(batchnorm="inference", dropout=0.0):
        head = HeadConfig("linear", input_dropout=dropout)
        config = ModelConfig(backbone="tiny", weights="none", batchnorm=batchnorm, head=head)
        return build_classifier(config, 2, (16, 16, 1), seed=0)

    return make


@pytest.fixture
def classifier(make_classifier):
    """Return a new tiny classifier with a linear head for two classes."""
    return make_classifier()


@pytest.fixture(scope="session")
def batch():
    """Return eight images and their targets."""
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (8, 16, 16, 1), np.uint8), np.arange(8) % 2


@pytest.fixture
def weights():
    """Return a function that copies the weights of a model, by path."""
    return lambda model: {variable.path: variable.numpy().copy() for variable in model.weights}
