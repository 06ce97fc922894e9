"""`load_model` loads classifiers in a new process and refuses other files."""

from __future__ import annotations

import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_radtl.config import HeadConfig, ModelConfig, UserError
from keras_radtl.models.classifier import build_classifier
from keras_radtl.models.saved_model import load_model

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras with NumPy 2

LOAD = """
import sys
import numpy as np
from keras_radtl.models.saved_model import load_model

np.save(sys.argv[3], load_model(sys.argv[1])(np.load(sys.argv[2])))
"""


@pytest.fixture
def model(tiny_backbone):
    config = ModelConfig("tiny", weights="none", head=HeadConfig("nonlinear"))
    return build_classifier(config, 3, (16, 16, 1), seed=0)


@pytest.mark.slow
def test_a_model_gives_equal_logits_in_a_new_process(model, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 1), np.uint8)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", images)
    paths = [str(tmp_path / name) for name in ("model.keras", "images.npy", "logits.npy")]
    process = subprocess.run([sys.executable, "-c", LOAD, *paths], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), model(images), rtol=1e-5, atol=1e-6)


def test_a_loaded_model_gives_equal_logits_and_is_not_compiled(model, tmp_path):
    model.compile("sgd", "mse")
    model.save(tmp_path / "model.keras")
    loaded = load_model(str(tmp_path / "model.keras"))
    assert not loaded.compiled
    images = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 1), np.uint8)
    np.testing.assert_array_equal(loaded(images), model(images))
    assert [weight.path for weight in loaded.weights] == [weight.path for weight in model.weights]


@pytest.mark.parametrize("name", ["missing.keras", "model.h5", "folder.keras", ""])
def test_other_paths_are_refused(tmp_path, name):
    (tmp_path / "model.h5").touch()
    (tmp_path / "folder.keras").mkdir()
    with pytest.raises(UserError, match="`path` must be an existing .keras file. Received: path='"):
        load_model(tmp_path / name)


def test_damaged_files_are_refused(model, tmp_path):
    model.save(tmp_path / "model.keras")
    data = (tmp_path / "model.keras").read_bytes()
    for name, content in (("empty", b""), ("text", b"not a model"), ("truncated", data[: len(data) // 2])):
        path = tmp_path / f"{name}.keras"
        path.write_bytes(content)
        with pytest.raises(UserError, match=f"{name}.keras cannot be loaded: ") as caught:
            load_model(path)
        assert "\n" not in str(caught.value)


def test_a_model_with_python_code_is_refused(tmp_path):
    image = keras.Input((2,))
    keras.Model(image, keras.layers.Lambda(lambda x: x + 1)(image)).save(tmp_path / "code.keras")
    with pytest.raises(UserError, match="code.keras cannot be loaded: .*[Ll]ambda"):
        load_model(tmp_path / "code.keras")
