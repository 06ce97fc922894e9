"""The local engine: failures, processes that die, replacement and the measured speed. Small scripts act as workers."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from keras_radtl.config import Config, UserError
from keras_radtl.sweeps import local_engine
from keras_radtl.sweeps.folder import SweepFolder, SweepOptions
from keras_radtl.sweeps.run_list import RunSpec
from keras_radtl.sweeps.speed import Speed

SPEED = {"start": 0.0, "build": {}, "image": {}, "weight_step": 1e-6, "busy": 0.0}
WORKER = """
import json, os, sys
from pathlib import Path
folder = Path(sys.argv[2])
for line in sys.stdin:
    task = json.loads(line)
    with open(folder / "tasks.txt", "a") as file:
        print(os.getpid(), task.get("name", task["task"]), file=file)
    answer = {"outcome": "done"}
    if task["task"] == "measure":
        answer = json.loads(os.environ["MEASURED"])
    elif task["name"] == "refused":
        answer = {"outcome": "refused", "text": "`epochs` must be >= 1"}
    elif task["name"] == "full":
        answer = {"outcome": "disk_full", "text": "No space left on device: a"}
    elif task["name"] == "dies":
        os.kill(os.getpid(), 9)
    elif task["name"] == "dies_once" and not (folder / "died").exists():
        (folder / "died").touch()
        os.kill(os.getpid(), 9)
    print(json.dumps(answer), flush=True)
"""


class Sweep:
    """A folder and what the engine reported."""

    def __init__(self, path):
        self.folder, self.ended, self.speeds = SweepFolder(path), [], []

    def run(self, *names: str, **options) -> None:
        runs = [RunSpec(name, Config(), {}) for name in names]
        local_engine.run_local(self.folder, runs, SweepOptions(**options), self.ended.append, self.speeds.append)

    @property
    def tasks(self) -> list[tuple[int, str]]:
        """Index of the process, from 0, and name of each task."""
        rows = [line.split() for line in (self.folder.path / "tasks.txt").read_text().splitlines()]
        order = list(dict.fromkeys(pid for pid, _ in rows))
        return [(order.index(pid), name) for pid, name in rows]


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    monkeypatch.setattr(local_engine, "WORKER", ("-c", WORKER))
    monkeypatch.setenv("MEASURED", json.dumps({"outcome": "done", "result": SPEED}))
    return Sweep(tmp_path)


def test_the_speed_is_measured_before_the_first_run(sweep):
    sweep.run("a", "b")
    assert sweep.tasks == [(0, "measure"), (0, "a"), (0, "b")]
    (speed,) = sweep.speeds
    assert isinstance(speed, Speed) and speed.weight_step == 1e-6 and 0 < speed.start < 60
    assert sweep.ended == ["a", "b"]


def test_an_unknown_speed_is_one_line_and_the_runs_are_executed(sweep, monkeypatch):
    monkeypatch.setenv("MEASURED", json.dumps({"outcome": "refused", "text": "too small"}))
    sweep.run("a")
    assert sweep.speeds == ["too small"] and sweep.ended == ["a"]


def test_a_process_is_replaced_after_its_runs(sweep):
    sweep.run("a", "b", "c", per_process=2)
    assert sweep.tasks == [(0, "measure"), (0, "a"), (0, "b"), (1, "c")]


def test_runs_of_another_device_are_executed_by_another_process(sweep):
    runs = [RunSpec("a", Config(), {}), RunSpec("b", replace(Config(), device="cpu"), {})]
    local_engine.run_local(sweep.folder, runs, SweepOptions(), sweep.ended.append, sweep.speeds.append)
    assert sweep.tasks == [(0, "measure"), (0, "a"), (1, "b")]


def test_a_failure_is_recorded_and_a_later_success_clears_it(sweep):
    sweep.folder.set_failure("a", "before", 1.0)
    sweep.run("a", "refused")
    assert sweep.folder.failure("a") is None
    assert sweep.folder.failure("refused")["error"] == "`epochs` must be >= 1"


def test_a_run_whose_process_dies_is_tried_once_more_alone(sweep, caplog):
    sweep.run("a", "dies_once", "b")
    assert sweep.tasks == [(0, "measure"), (0, "a"), (0, "dies_once"), (1, "dies_once"), (2, "b")]
    assert sweep.ended == ["a", "dies_once", "b"] and sweep.folder.failure("dies_once") is None
    line = "run dies_once is tried once more: its process was killed by SIGKILL, perhaps out of memory"
    assert [record.message for record in caplog.records] == [line]


def test_a_run_whose_process_dies_twice_has_failed(sweep):
    sweep.run("dies", "b")
    assert sweep.ended == ["dies", "b"] and sweep.folder.failure("b") is None
    expected = "its process was killed by SIGKILL, perhaps out of memory, at the second try too; see log.txt"
    assert sweep.folder.failure("dies")["error"] == expected


def test_a_full_disk_ends_the_sweep(sweep):
    with pytest.raises(UserError, match="No space left on device: a. What was written before is intact"):
        sweep.run("a", "full", "b")
    assert sweep.ended == ["a"]
