"""Whole runs on the tiny backbone, without figures, on pictures that are read once."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

CONFIG = {
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
        return update(update(update(Config(), CONFIG), {"data": {"path": str(pictures)}}), values or {})

    return make


@pytest.fixture(scope="module")
def tiny_data(tiny_backbone, configure, tmp_path_factory):
    """Return the pictures as a data set."""
    from keras_radtl.training.train import load_data

    return load_data(configure(), tmp_path_factory.mktemp("pixels"))


@pytest.fixture(scope="module")
def go(tiny_data, configure):
    """Return a function (folder, training options, other values) -> path of the finished run."""
    from keras_radtl.training.run_options import Request
    from keras_radtl.training.train import train

    def run(folder, training=None, values=None, dataset=tiny_data, **request) -> Path:
        config = configure({**(values or {}), "training": training or {}})
        return train(config, Request(folder, figures=False, **request), dataset).path

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
