"""The worker of a sweep: runs in one process do not influence each other, and the speed is measured."""

from __future__ import annotations

import pytest

from keras_radtl.config import Config, UserError, to_dict, update
from keras_radtl.sweeps.folder import SweepOptions
from keras_radtl.sweeps.speed import questions
from keras_radtl.sweeps.worker import SweepWorker, measure_task
from keras_radtl.training.run_options import RunOptions
from keras_radtl.training.train import train_run
from keras_radtl.training.worker import Answer, train_task

BASE = {
    "data": {"image_size": 32, "phantoms": {"count": 40, "image_size": 32}},
    "model": {"backbone": "tiny", "weights": "none"},
    "training": {"epochs": 2, "batch_size": 8, "learning_rate": 0.01},
}
CHANGES = {
    "top1": {"training": {"unfreeze": "top1"}, "model": {"head": {"name": "linear"}}},
    "pulled": {"training": {"strategy": "l2_sp"}, "model": {"head": {"name": "linear"}}},
    "impossible": {"model": {"head": {"name": "conv", "pooling": "flatten", "kernel_size": 500}}},
    "frozen": {"training": {"unfreeze": "none"}, "model": {"head": {"name": "nonlinear"}}},
}


def base() -> Config:
    return update(Config(), BASE)  # not at import: `tiny` is known within the fixture


def run(worker: SweepWorker, name: str, config: Config, output, **options) -> Answer:
    return worker.answer(train_task(name, to_dict(config), SweepOptions(**options).run_options(output)))


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_backbone")
def test_runs_in_a_row_equal_runs_alone(tmp_path):
    worker = SweepWorker(tmp_path)
    for name, change in CHANGES.items():
        config = update(base(), change)
        answer = run(worker, name, config, tmp_path / "row" / name)
        if name == "impossible":
            assert answer.outcome == "refused" and "`kernel_size`" in answer.text
            continue
        assert answer.outcome == "done"
        alone = train_run(config, RunOptions(tmp_path / "alone" / name, reuse=False))
        for file in ("history.csv", "predictions_train.csv", "predictions_test.csv"):
            assert (tmp_path / "row" / name / file).read_bytes() == (alone / file).read_bytes(), (name, file)


@pytest.mark.parametrize("reuse", [True, False])
@pytest.mark.usefixtures("tiny_backbone")
def test_the_backbone_is_shared_unless_nothing_is(tmp_path, caplog, reuse):
    caplog.set_level("INFO")
    worker, config = SweepWorker(tmp_path), update(base(), CHANGES["frozen"])
    for name in ("first", "second"):
        assert run(worker, name, config, tmp_path / name, reuse=reuse).outcome == "done"
    assert caplog.text.count("Reusing the backbone of the previous run") == reuse


@pytest.mark.usefixtures("tiny_backbone")
def test_the_speed_is_measured(tmp_path):
    answer = SweepWorker(tmp_path).answer(measure_task(base(), questions([base()])))
    assert answer.outcome == "done" and answer.result["image"]["tiny:32"] > 0 and answer.result["busy"] > 0


def test_the_list_of_runs_is_loaded_first(tmp_path):
    (tmp_path / "some.py").write_text("raise RuntimeError('loaded')")
    with pytest.raises(UserError, match="some.py, line 1: RuntimeError: loaded"):
        SweepWorker(tmp_path, str(tmp_path / "some.py"))
