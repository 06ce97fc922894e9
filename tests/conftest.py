"""What several tests share."""

from __future__ import annotations

import os
import runpy
import textwrap
from pathlib import Path

import numpy as np
import pytest

ENVIRONMENT = {  # before TensorFlow is imported; the last is what the package asks for
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_ENABLE_ONEDNN_OPTS": "1",
}
for name, value in ENVIRONMENT.items():
    os.environ.setdefault(name, value)

TINY_OPTIONS = (
    "--backbone tiny --weights none --image-size 32 --head linear --unfreeze all --epochs 3 --batch-size 16 "
    "--learning-rate 0.01 --schedule constant"
).split()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real data, or skip: it is not part of the project."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("KERAS_RADTL_SHARED_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder} (set KERAS_RADTL_SHARED_DATA)")
    return folder


@pytest.fixture
def write_image(tmp_path):
    """Return a function that writes a small picture below the test's folder and returns its path."""
    from PIL import Image

    def write(name: str, seed: int | None = 0, shape: tuple[int, ...] = (12, 16)) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
        Image.fromarray(pixels).save(path)
        return path

    return write


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Keep what runs store between runs out of the user's cache folder."""
    os.environ["KERAS_RADTL_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def tiny_backbone():
    """Add the row `tiny` of `tiny_backbone.py` to the backbones, for one module; returns that file."""
    from keras_radtl.models.backbones.table import BACKBONES

    file = Path(__file__).with_name("tiny_backbone.py")
    runpy.run_path(str(file))["register"]()
    yield file
    del BACKBONES["tiny"]


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Path:
    """Return a folder of 60 small pictures in two class folders, whose names have spaces and brackets."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("pictures") / "data"
    generator = np.random.default_rng(0)
    for target, name in enumerate(("benign mass", "malignant [sic] (2)")):
        (folder / name).mkdir(parents=True)
        for number in range(30):
            pixels = generator.normal(110, 40, (32, 32)).clip(0, 255)
            pixels[8:18, 8 : 12 + 10 * target] /= 3
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{name} ({number}).png")
    return folder


@pytest.fixture
def faulty_pictures(tmp_path) -> Path:
    """Return a folder of 24 pictures: one is empty, two pairs are identical, and one of the pairs has two labels."""
    from PIL import Image

    generator = np.random.default_rng(0)
    for name in ("benign", "malignant"):
        (tmp_path / name).mkdir()
        for i in range(12):
            Image.fromarray(generator.integers(0, 256, (12, 12), np.uint8)).save(tmp_path / name / f"{i}.png")
    (tmp_path / "benign" / "1.png").write_bytes((tmp_path / "benign" / "0.png").read_bytes())
    (tmp_path / "malignant" / "2.png").write_bytes((tmp_path / "benign" / "2.png").read_bytes())
    (tmp_path / "malignant" / "3.png").write_bytes(b"")
    return tmp_path


@pytest.fixture(scope="module")
def tiny_fit(tiny_backbone, pictures):
    """Return a function (output folder, further options) -> exit code of `fit` with the tiny backbone."""
    from keras_radtl.fit import main

    def fit(output, *options: str) -> int:
        return main([*TINY_OPTIONS, "--data", str(pictures), "--output", str(output), *options])

    return fit


TINY_RUN = {
    "data": {"image_size": 32, "phantoms": {"count": 40, "image_size": 32}},
    "model": {"backbone": "tiny", "weights": "none", "head": {"name": "linear"}},
    "training": {"epochs": 1, "unfreeze": "none", "batch_size": 32},
}


@pytest.fixture
def write_list(tmp_path):
    """Return a function that writes a list of runs with the tiny backbone; `body` follows the definition of `base`."""

    def write(body: str, attributes: str = "") -> Path:
        head = f"""
            import runpy

            from keras_radtl.config import update
            from keras_radtl.sweeps.run_list import RunSpec

            runpy.run_path({str(Path(__file__).with_name("tiny_backbone.py"))!r})["register"]()
            STUDY = {TINY_RUN!r}
        """
        path = tmp_path / "some.py"
        body = "def runs(choices):\n    base = choices.config()\n" + textwrap.indent(textwrap.dedent(body), "    ")
        path.write_text(textwrap.dedent(head) + textwrap.dedent(attributes) + body)
        return path

    return write


@pytest.fixture(scope="session")
def scored():
    """Return a function (seed, effect) -> targets and scores of 60 cases; the effect separates the classes."""

    def make(seed: int, effect: float, n: int = 60):
        generator = np.random.default_rng(seed)
        targets = np.arange(n) % 3 == 0
        logits = generator.normal(size=n) + effect * targets - effect / 2
        return targets.astype(int), np.round(1 / (1 + np.exp(-logits)), 4)

    return make


@pytest.fixture
def write_scores(tmp_path):
    """Return a function that writes a CSV with case, label and score."""

    def write(name, targets, scores, order=None) -> Path:
        rows = [f"case {i},{targets[i]},{scores[i]}" for i in (range(len(targets)) if order is None else order)]
        path = tmp_path / name
        path.write_text("\n".join(["case,label,score", *rows]) + "\n")
        return path

    return write


@pytest.fixture
def write_predictions(tmp_path):
    """Return a function that makes a run directory with predictions, two cases a patient."""
    head = "case,path,group,split,label,predicted,logit_benign,logit_malignant,prob_benign,prob_malignant"

    def write(name, targets, scores, split="test") -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        names = ("benign", "malignant")
        rows = [
            f"case {i},case {i}.png,patient {i // 2},{split},{names[target]},benign,0,0,{1 - score},{score}"
            for i, (target, score) in enumerate(zip(targets, scores, strict=True))
        ]
        (folder / f"predictions_{split}.csv").write_text("\n".join([head, *rows]) + "\n")
        return folder

    return write


@pytest.fixture
def refusal(capsys):
    """Return a function that gives the one line on stderr with which a command refused."""

    def read() -> str:
        err = capsys.readouterr().err
        assert err.count("\n") == 1, err
        assert err.startswith("error: "), err
        return err

    return read


TINY_CONFIG = {
    "data": {"image_size": 16},
    "model": {"backbone": "tiny", "weights": "none", "head": {"name": "nonlinear", "dropout": 0.5}},
    "training": {"epochs": 4, "batch_size": 16, "learning_rate": 0.01, "unfreeze": "all"},
}


@pytest.fixture(scope="session")
def outcome():
    """Return the function of `outcome.py`: all that must be equal between equal runs."""
    return runpy.run_path(str(Path(__file__).with_name("outcome.py")))["outcome"]


@pytest.fixture(scope="session")
def configure(pictures):
    """Return a function from further nested values to the configuration of a tiny run."""
    from keras_radtl.config import Config, update

    def make(values=None):
        return update(update(update(Config(), TINY_CONFIG), {"data": {"path": str(pictures)}}), values or {})

    return make


@pytest.fixture(scope="module")
def tiny_data(tiny_backbone, configure, tmp_path_factory):
    """Return the pictures as a data set."""
    from keras_radtl.training.train import load_data

    return load_data(configure())


@pytest.fixture(scope="module")
def go(tiny_data, configure):
    """Return a function (folder, training options, other values) -> path of the finished run."""
    from keras_radtl.training.run_options import RunOptions
    from keras_radtl.training.train import train_run

    def run(folder, training=None, values=None, dataset=tiny_data, **request) -> Path:
        config = configure({**(values or {}), "training": training or {}})
        return train_run(config, RunOptions(folder, figures=False, **request), dataset).path

    return run


@pytest.fixture
def stop_in(monkeypatch):
    """Return a context manager that stops a run in a given epoch (counted from 0), as Ctrl-C after its first batch."""
    import contextlib

    from keras_radtl.runs.interrupt import Stopped
    from keras_radtl.training import callbacks

    @contextlib.contextmanager
    def stop(epoch: int):
        def stopping(self, batch, logs=None):
            if self._epoch == epoch:
                self.stop.code = 130
                self.stop.check(f"in epoch {epoch + 1}")

        with monkeypatch.context() as patch, pytest.raises(Stopped, match=f"stopped in epoch {epoch + 1}"):
            patch.setattr(callbacks.StopOnRequest, "on_train_batch_end", stopping)
            yield

    return stop


@pytest.fixture(scope="session")
def plan_phases():
    """Return a function (classifier, training section) -> the phases of its strategy."""
    from keras_radtl.models.groups import layer_groups
    from keras_radtl.strategies.table import outline_phases, resolve_phases

    def plan(model, training):
        groups = [group.name for group in layer_groups(model, training.counting) if group.parameters]
        return resolve_phases(model, outline_phases(training, groups), training.counting)

    return plan
