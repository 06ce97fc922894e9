"""Importing `keras_radtl.layers` registers all Keras objects, so that Keras can load the model of a run."""

from __future__ import annotations

import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_radtl.layers
from keras_radtl.config import HeadConfig, ModelConfig
from keras_radtl.models.classifier import build_classifier

LOAD = """
import sys
import keras
import numpy as np
import keras_radtl.layers

model = keras.saving.load_model(sys.argv[1])
np.save(sys.argv[3], model(np.load(sys.argv[2])))
print(type(model.optimizer).__module__, type(model.optimizer).__name__, type(model.loss).__name__)
"""


def test_every_registered_object_is_exported():
    registered = {name for name in keras.saving.get_custom_objects() if name.startswith("keras_radtl>")}
    assert registered == {f"keras_radtl>{name}" for name in keras_radtl.layers.__all__}


def test_registered_names_are_those_of_earlier_versions():
    """Saved models contain these names, so renaming one would make them unreadable."""
    for name in keras_radtl.layers.__all__:
        assert keras.saving.get_registered_name(getattr(keras_radtl.layers, name)) == f"keras_radtl>{name}"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras with NumPy 2
def test_keras_loads_a_compiled_classifier_in_a_new_process(tiny_backbone, tmp_path):
    config = ModelConfig("tiny", weights="none", head=HeadConfig("conv_skip", filters=2))
    model = build_classifier(config, 2, (16, 16, 1), seed=0, multilabel=True)
    model.compile(keras_radtl.layers.RAdam(0.01), keras_radtl.layers.MaskedBinaryCrossentropy(gamma=1.0))
    images = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 1), np.uint8)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", images)
    paths = [str(tmp_path / name) for name in ("model.keras", "images.npy", "logits.npy")]
    process = subprocess.run([sys.executable, "-c", LOAD, *paths], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    expected = ["keras_radtl.strategies.optimizer_classes", "RAdam", "MaskedBinaryCrossentropy"]
    assert process.stdout.split()[-3:] == expected
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), model(images), rtol=1e-5, atol=1e-6)
