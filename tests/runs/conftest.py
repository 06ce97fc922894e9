"""Finished runs of the tiny backbone, trained once per module."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def single(go, tmp_path_factory):
    """Return the path of a run with one split."""
    return go(tmp_path_factory.mktemp("single") / "run", {"epochs": 2})


@pytest.fixture(scope="module")
def folded(tiny_backbone, configure, tmp_path_factory):
    """Return the path of a run with two folds."""
    from keras_radtl.training.run_options import RunOptions
    from keras_radtl.training.train import train_run

    config = configure({"split": {"folds": 2}, "training": {"epochs": 1, "unfreeze": "none"}})
    return train_run(config, RunOptions(tmp_path_factory.mktemp("folded") / "run", figures=False)).path
