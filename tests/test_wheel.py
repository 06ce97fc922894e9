"""The installed package, outside the clone: studies by name, a copied tuner, and what `import keras_radtl` gives."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SMALL = (
    "--tasks breast --data phantoms --pretraining none --backbones EfficientNet-Lite0 --schedules beta --heads Linear "
    "--image-size 32 --set data.phantoms.count=20 --set data.phantoms.image_size=32"
).split()
pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def installed(tmp_path_factory) -> Path:
    """Return a folder with the installed package.

    The wheel is built from a copy, because a `build` folder in the clone would add deleted modules to later wheels.
    """
    folder = tmp_path_factory.mktemp("wheel")
    source = shutil.copytree(ROOT / "keras_radtl", folder / "source" / "keras_radtl").parent
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    for command in (
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source)],
        [*pip, "install", "--no-deps", "--no-index", "--find-links", str(folder), "--target", str(folder / "site"),
         "keras_radtl"],
    ):  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return folder / "site"


@pytest.fixture
def outside(installed, tmp_path):
    """Return a function that runs Python in an empty folder with the installed package and returns the process."""

    def run(*arguments: str) -> subprocess.CompletedProcess:
        own = {"PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        environment = {name: value for name, value in os.environ.items() if name != "KERAS_RADTL_WEIGHTS"}
        command = [sys.executable, *arguments]
        return subprocess.run(command, cwd=tmp_path, env={**environment, **own}, capture_output=True, text=True)

    return run


def test_the_installed_package_is_imported_and_light(outside, installed):
    code = (
        "import sys, keras_radtl\n"
        "print(keras_radtl.__file__)\n"
        "print([name for name in ('tensorflow', 'keras', 'pandas') if name in sys.modules])\n"
        "from importlib.metadata import version\n"
        "print(version('keras_radtl') == keras_radtl.__version__)"
    )
    done = outside("-c", code)
    assert done.returncode == 0, done.stderr
    file, heavy, same = done.stdout.splitlines()
    assert Path(file).is_relative_to(installed) and (heavy, same) == ("[]", "True")


def test_every_package_of_the_clone_is_installed(installed):
    found = {path.relative_to(installed) for path in (installed / "keras_radtl").rglob("*.py")}
    expected = {path.relative_to(ROOT) for path in (ROOT / "keras_radtl").rglob("*.py")}
    assert found == expected


@pytest.mark.parametrize("name", ["fts", "grid176", "unfreezing", "radimagenet24", "bacon_grid"])
def test_help_of_a_study(outside, name):
    done = outside("-m", "keras_radtl.sweep", name, "--help")
    assert done.returncode == 0, done.stderr
    assert "--backbones LEVEL" in done.stdout or "--levels LEVEL" in done.stdout


def test_a_dry_run_lists_the_runs_of_a_study(outside, tmp_path):
    done = outside("-m", "keras_radtl.sweep", "grid176", *SMALL, "--dry-run")
    assert (done.returncode, done.stdout) == (0, "breast-none-efficientnet_lite0-beta-linear\n"), done.stderr
    assert "1 run: disk: " in done.stderr and "on this machine" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_configuration_of_a_study(outside):
    done = outside("-m", "keras_radtl.sweep", "fts", "--print-config", "--epochs", "20")
    assert done.returncode == 0, done.stderr
    assert '"preset": "fts"' in done.stdout and '"epochs": 20' in done.stdout


def test_a_copied_tuner_is_a_command(outside, tmp_path):
    text = (ROOT / "tuners" / "fts.py").read_text(encoding="utf-8")
    text = text.replace('"ResNet50"', '"InceptionV3"').replace('"epochs": 50', '"epochs": 30')
    copy = tmp_path / "mine.py"
    copy.write_text(text, encoding="utf-8")
    for start in (["mine.py"], ["-m", "keras_radtl.sweep", "mine.py"], [str(copy)]):
        done = outside(*start, "--print-config")
        assert done.returncode == 0, done.stderr
        assert '"backbone": "InceptionV3"' in done.stdout and '"epochs": 30' in done.stdout


def test_the_search_space_of_a_study(outside):
    done = outside("-m", "keras_radtl.tune", "--space", "hyperband", "--print-space")
    assert done.returncode == 0 and "training.optimizer" in done.stdout, done.stderr


SAVE = """
import numpy as np, keras_radtl as rtl
head = rtl.HeadConfig("linear")
model = rtl.build_classifier(rtl.ModelConfig(weights="none", head=head), 2, (32, 32, 3), seed=0)
model.save("model.keras")
np.save("logits.npy", np.asarray(model(np.full((1, 32, 32, 3), 100, np.uint8), training=False)))
"""
LOAD = """
import numpy as np
{load}
logits = np.asarray(model(np.full((1, 32, 32, 3), 100, np.uint8), training=False))
print(np.allclose(logits, np.load("logits.npy"), atol=1e-6))
"""
WITH_KERAS = "import keras, keras_radtl.layers; model = keras.saving.load_model('model.keras')"


def test_a_saved_model_loads_in_a_new_process(outside):
    done = outside("-c", SAVE)
    assert done.returncode == 0, done.stderr
    for load in ("import keras_radtl as rtl; model = rtl.load_model('model.keras')", WITH_KERAS):
        done = outside("-c", LOAD.format(load=load))
        assert done.stdout.split()[-1:] == ["True"], done.stderr
    refused = outside("-c", LOAD.format(load=WITH_KERAS.replace(", keras_radtl.layers", "")))
    assert "PixelScaling" in refused.stderr, "without that import Keras does not know the layers"
