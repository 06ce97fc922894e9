"""Executing the unfinished runs: order, progress, failures that are tried again, and the lock of the folder."""

from __future__ import annotations

import re

import pytest

from keras_radtl.config import Config, UserError, update
from keras_radtl.runs.files import read_csv, write_json
from keras_radtl.runs.lock import locked
from keras_radtl.sweeps.execute import describe_disk, describe_time, execute_sweep
from keras_radtl.sweeps.folder import SweepFolder, SweepOptions
from keras_radtl.sweeps.run_list import RunSpec
from keras_radtl.sweeps.speed import Speed

DATA = {"phantoms": {"count": 20, "image_size": 32}}
RUNS = [RunSpec(name, update(Config(), {"seed": n, "data": DATA}), {"seed": n}) for n, name in enumerate("abc")]
METRICS = {name: {"value": 0.75} for name in ("auc", "accuracy", "f1", "log_loss")}


class Engine:
    """Finishes or fails runs without training."""

    def __init__(self, failing=()):
        self.failing, self.executed = failing, []

    def __call__(self, folder, runs, options, ended, measured):
        measured("not measured")
        for run in runs:
            self.executed.append(run.name)
            if run.name in self.failing:
                folder.set_failure(run.name, "no memory", 1.0)
            else:
                directory = folder.run(run.name)
                write_json(directory / "metrics.json", {"val": METRICS, "test": METRICS})
                write_json(directory / "summary.json", {"seconds": 1.0})
                directory.set_status("finished")
            ended(run.name)


@pytest.fixture
def folder(tmp_path):
    return SweepFolder(tmp_path / "sweep")


def test_unfinished_runs_are_executed_and_failed_ones_are_tried_again(folder, caplog):
    caplog.set_level("INFO")
    first = Engine(failing=("b",))
    results = execute_sweep(RUNS, {"c": "no weights"}, folder, SweepOptions(), first)
    assert first.executed == ["a", "b"]
    assert {name: row["status"] for name, row in results.rows.items()} == {
        "a": "finished",
        "b": "failed",
        "c": "skipped",
    }
    assert [row["status"] for row in read_csv(folder.results)] == ["finished", "failed", "skipped"]
    text = caplog.text
    assert "[1/2] a  AUC val 0.750 test 0.750  " in text and "[2/2] b  failed: no memory  " in text
    assert "2 runs: time unknown: not measured" in text
    second = Engine()
    execute_sweep(RUNS, {}, folder, SweepOptions(), second)
    assert second.executed == ["b", "c"] and "runs: 3, 1 finished before, 0 skipped, 2 to do" in caplog.text
    third = Engine()
    execute_sweep(RUNS, {}, folder, SweepOptions(), third)
    assert third.executed == []


def test_one_sweep_at_a_time_uses_a_folder(folder):
    folder.path.mkdir()
    with locked(folder.path), pytest.raises(UserError):
        execute_sweep(RUNS, {}, folder, SweepOptions(), Engine())


def test_disk_and_time_in_one_line(folder):
    line = describe_disk(RUNS, SweepOptions(), folder)
    assert re.fullmatch(r"disk: activations \d\.\d\d GB of at most 8 GB, run folders 0.00 GB, \d+ GB free", line)
    assert "activations" not in describe_disk(RUNS, SweepOptions(reuse=False), folder)
    assert describe_time(RUNS, SweepOptions(), "no speed") == "time unknown: no speed"
    plans = {"efficientnet_lite0:224": 0.0}
    tables = dict.fromkeys(("build", "trace", "image", "train_trace", "train_image"), plans)

    class Known(Speed):
        def of_data(self, plan):
            return 0.0

    assert describe_time(RUNS, SweepOptions(), Known(start=60.0, **tables)).startswith("about 1:01 on this machine")
