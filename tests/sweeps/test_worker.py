"""The worker of a sweep: runs in one process do not feel each other."""

from __future__ import annotations

import pytest

from keras_radtl.config import Config, update
from keras_radtl.sweeps.folder import SweepOptions
from keras_radtl.sweeps.run_list import RunSpec
from keras_radtl.sweeps.worker import Worker
from keras_radtl.training.run_options import RunOptions
from keras_radtl.training.train import train

BASE = update(
    Config(),
    {
        "data": {"image_size": 32, "phantoms": {"count": 40, "image_size": 32}},
        "model": {"backbone": "tiny", "weights": "none"},
        "training": {"epochs": 2, "batch_size": 8, "learning_rate": 0.01},
    },
)
CHANGES = {
    "top1": {"training": {"unfreeze": "top1"}, "model": {"head": {"name": "linear"}}},
    "pulled": {"training": {"strategy": "l2_sp"}, "model": {"head": {"name": "linear"}}},
    "impossible": {"training": {"unfreeze": "top9"}},
    "frozen": {"training": {"unfreeze": "none"}, "model": {"head": {"name": "nonlinear"}}},
}


@pytest.mark.usefixtures("tiny_backbone")
def test_runs_in_a_row_equal_runs_alone(tmp_path):
    worker = Worker(SweepOptions(module=""), tmp_path)
    for name, change in CHANGES.items():
        config = update(BASE, change)
        error = worker.run(RunSpec(name, config, {}), tmp_path / "row" / name)
        if name == "impossible":
            assert "top9" in error
            continue
        assert error is None
        alone = train(config, RunOptions(tmp_path / "alone" / name, reuse=False))
        for file in ("history.csv", "predictions_train.csv", "predictions_test.csv"):
            assert (tmp_path / "row" / name / file).read_bytes() == (alone / file).read_bytes(), (name, file)


@pytest.mark.parametrize("reuse", [True, False])
@pytest.mark.usefixtures("tiny_backbone")
def test_the_backbone_is_shared_unless_nothing_is(tmp_path, caplog, reuse):
    caplog.set_level("INFO")
    worker = Worker(SweepOptions(module="", reuse=reuse), tmp_path)
    for name in ("first", "second"):
        assert worker.run(RunSpec(name, update(BASE, CHANGES["frozen"]), {}), tmp_path / name) is None
    assert caplog.text.count("backbone and weights of the run before") == reuse
