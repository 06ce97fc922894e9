"""Imports and trainings in Python print no messages of TensorFlow."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

TRAIN = """
import keras_radtl as rtl
config = rtl.Config.preset(
    backbone="efficientnet_lite0", weights="none", image_size=32, head="linear", strategy="g_lf", epochs=10,
    **{"data.phantoms.count": 40, "data.phantoms.image_size": 32},
)
rtl.train(config, "run", figures=False)
"""


def messages(code: str, folder) -> list[str]:
    """Return the lines on stderr of a new process in which no variable of TensorFlow is set."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_CPP")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines()


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("import keras_radtl.layers", marks=pytest.mark.slow),
        "import keras_radtl as rtl; rtl.build_classifier",
        pytest.param("from keras_radtl import load_model", marks=pytest.mark.slow),
    ],
)
def test_imports_print_nothing(tmp_path, code):
    assert messages(code, tmp_path) == []


@pytest.mark.slow
def test_a_training_with_many_phases_prints_no_notice_of_tensorflow(tmp_path):
    lines = messages(TRAIN, tmp_path)
    own = ("all validation cases are predicted as one class", "intervals are wide or missing")
    assert [line for line in lines if not any(text in line for text in own)] == []


def test_environment_variables_of_the_user_are_kept(monkeypatch):
    code = "import os, keras_radtl; print(os.environ['TF_CPP_MIN_LOG_LEVEL'])"
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
