"""The worker: how tasks end, what is kept between them, and when the process ends. The children load no TensorFlow."""

from __future__ import annotations

import errno
import json
import os
import signal
import time

import pytest

from keras_radtl.config import Config, UserError, from_dict, to_dict, update
from keras_radtl.runs.interrupt import Stopped
from keras_radtl.runs.lock import locked
from keras_radtl.system.child_process import ChildProcess
from keras_radtl.training import worker as module
from keras_radtl.training.plan import make_plan
from keras_radtl.training.run_options import RunOptions
from keras_radtl.training.worker import Answer, Worker, train_task

CHILD = """
import sys, time
from pathlib import Path
from keras_radtl.training import worker

class Sleepy(worker.Worker):
    def tasks(self):
        return {"echo": lambda task: {"got": task["value"]}, "sleep": lambda task: time.sleep(60), "print": self.print}

    def print(self, task):
        print("no answer")
        return {}

worker.import_tensorflow = lambda: None
raise SystemExit(worker.serve(Sleepy, Path(sys.argv[1]), Path(sys.argv[2])))
"""


class Failing(Worker):
    """Raises the error that it is given."""

    error: BaseException = None

    def tasks(self):
        return {"fail": self._fail}

    def _fail(self, task):
        raise self.error


@pytest.fixture
def served(tmp_path):
    """Return a function that starts a worker in a child."""
    started = []

    def start() -> ChildProcess:
        (tmp_path / "cache").mkdir(exist_ok=True)
        arguments = ["-c", CHILD, str(tmp_path), str(tmp_path / "cache")]
        started.append(ChildProcess(arguments, tmp_path / "log.txt"))
        return started[-1]

    yield start
    for child in started:
        child.end(0.0)


@pytest.mark.parametrize(
    "error, outcome, text",
    [
        (UserError("`epochs` must be >= 1"), "refused", "`epochs` must be >= 1"),
        (Stopped("stopped in epoch 3", 143), "stopped", "stopped in epoch 3"),
        (OSError(errno.ENOSPC, "No space left on device", "a.csv"), "disk_full", "No space left on device: a.csv"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk_full", "Disk quota exceeded: output"),
        (OSError(errno.ENOENT, "No such file", "a"), "failed", "FileNotFoundError: [Errno 2] No such file: 'a'"),
        (ValueError(600 * "x"), "failed", f"ValueError: {488 * 'x'}"),
    ],
)
def test_an_error_is_an_answer(tmp_path, error, outcome, text):
    worker = Failing(tmp_path)
    worker.error = error
    answer = worker.answer({"task": "fail"})
    assert (answer.outcome, answer.text, answer.result) == (outcome, text, {})
    assert answer.memory > 10**7


def test_an_unexpected_error_is_logged_with_its_traceback(tmp_path, caplog):
    worker = Failing(tmp_path)
    worker.error = ValueError("a defect")
    worker.answer({"task": "fail"})
    assert "Traceback" in caplog.text and "a defect" in caplog.text


def test_a_training_task_survives_json(tmp_path):
    options = RunOptions(tmp_path / "run", resume=True, figures=False, checkpoint_seconds=5.0)
    task = json.loads(json.dumps(train_task("a", to_dict(Config(seed=3)), options)))
    assert from_dict(Config, task["config"]) == Config(seed=3)
    assert RunOptions(**{**task["options"], "output": tmp_path / "run"}) == options


def test_the_last_dataset_is_kept(tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(module, "read_data", lambda plan, cache: read.append(cache) or object())
    worker, config = Worker(tmp_path), Config()
    first = worker.load(make_plan(config))
    assert worker.load(make_plan(update(config, {"model": {"head": {"name": "conv"}}}))) is first
    for change in ({"data": {"path": "b"}}, {"split": {"folds": 2}}, {"seed": 1}, {"data": {"image_size": 64}}):
        assert worker.load(make_plan(update(config, change))) is not first
    assert len(set(read)) == 5 and all(cache.parent == tmp_path for cache in read)


def test_tasks_are_answered_in_order_and_what_is_printed_is_logged(served, tmp_path):
    child = served()
    for task in ({"task": "echo", "value": 1}, {"task": "print"}, {"task": "unknown"}, {"task": "echo", "value": 2}):
        child.send(task)
    answers = [Answer(**child.receive()) for _ in range(4)]
    assert [answer.outcome for answer in answers] == ["done", "done", "failed", "done"]
    assert (answers[0].result, answers[3].result) == ({"got": 1}, {"got": 2})
    child.end()
    assert "no answer" in (tmp_path / "log.txt").read_text()
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("busy", [False, True])
def test_the_worker_ends_when_its_stdin_is_closed(served, tmp_path, busy):
    child = served()
    child.send({"task": "echo", "value": 1})
    child.receive()
    if busy:
        child.send({"task": "sleep"})
    assert child.end(30.0) == 128 + signal.SIGTERM
    assert not (tmp_path / "cache").exists()


def test_a_stopped_task_is_an_answer_and_the_worker_continues(served):
    child = served()
    child.send({"task": "echo", "value": 1})
    child.receive()
    child.send({"task": "sleep"})
    time.sleep(0.5)
    os.kill(child.pid, signal.SIGTERM)
    assert child.receive()["outcome"] == "stopped"
    child.send({"task": "echo", "value": 2})
    assert child.receive()["result"] == {"got": 2}


def test_one_worker_at_a_time_works_in_a_folder(served, tmp_path):
    with locked(tmp_path / "worker"):
        child = served()
        child.send({"task": "echo", "value": 1})
        time.sleep(2.0)
        assert child._messages.empty()
    assert child.receive()["result"] == {"got": 1}
