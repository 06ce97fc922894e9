"""The child process of a search, played by small scripts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from keras_radtl.config import Config, UserError
from keras_radtl.runs.interrupt import Stopped, StopRequest
from keras_radtl.search import trial_process
from keras_radtl.search.trial_process import TrialFailed, TrialProcess, one_line

ANSWER = "import json, os, sys\nfor line in sys.stdin: print(json.dumps({0}), flush=True)"


@pytest.fixture
def process(tmp_path, monkeypatch):
    """Return a function that makes a `TrialProcess` whose child runs some code."""
    made = []

    def make(code: str, stop=None, **kwargs) -> TrialProcess:
        monkeypatch.setattr(trial_process, "WORKER", (sys.executable, "-c", code))
        made.append(TrialProcess(tmp_path / "log.txt", stop or StopRequest(), **kwargs))
        return made[-1]

    yield make
    for each in made:
        each.__exit__()


def test_a_fresh_process_after_some_tasks(process):
    child = process(ANSWER.format("{'pid': os.getpid()}"), tasks=2)
    pids = [child.rehearse([])["pid"] for _ in range(5)]
    assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4]
    assert os.getpid() not in pids


def test_mistakes_and_failures_are_told_apart(process):
    with pytest.raises(UserError, match="no such file"):
        process(ANSWER.format("{'mistake': 'no such file'}")).rehearse([])
    with pytest.raises(TrialFailed, match="^loss is NaN, always$"):
        process(ANSWER.format(r"{'failure': 'loss is NaN,\n  always'}")).train(Config(), "x", {})


def test_a_child_that_dies_fails_its_trial_alone(process, tmp_path):
    mark = tmp_path / "died"
    first = f"import os, sys\nmark = {str(mark)!r}\nif not os.path.exists(mark):\n    open(mark, 'w')\n"
    die = "    sys.stdin.readline()\n    os.kill(os.getpid(), 9)\n"
    child = process(first + die + ANSWER.format("{}"))
    with pytest.raises(TrialFailed, match="ended by SIGKILL, perhaps for want of memory"):
        child.train(Config(), tmp_path, {})
    child.train(Config(), tmp_path, {})
    with pytest.raises(TrialFailed, match="exit code 3"):
        process("raise SystemExit(3)").train(Config(), tmp_path, {})


def test_what_the_child_writes_on_stderr_is_in_the_log(process, tmp_path):
    process("import sys; print('epoch 1', file=sys.stderr)\n" + ANSWER.format("{}")).rehearse([])
    assert (tmp_path / "log.txt").read_text() == "epoch 1\n"


def test_a_stop_is_passed_on(process):
    told = 'lambda *_: print(\'{"stopped": ""}\', flush=True)'
    code = f"import os, signal\nsignal.signal(signal.SIGTERM, {told})\nwhile os.read(0, 100): pass"
    with StopRequest() as stop:
        child = process(code, stop)
        child.start()
        threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        started = time.monotonic()
        with pytest.raises(Stopped) as caught:
            child.train(Config(), "x", {})
        assert caught.value.code == 130 and time.monotonic() - started < 20
        with pytest.raises(Stopped):
            child.train(Config(), "x", {})


def test_the_worker_ends_when_its_parent_goes():
    code = (
        "import queue, threading, time\nfrom keras_radtl.search.trial_worker import _listen\n"
        "threading.Thread(target=_listen, args=(queue.SimpleQueue(),)).start()\ntime.sleep(60)"
    )
    worker = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    worker.stdin.close()
    assert worker.wait(20) == 0


def test_messages_are_one_line_without_folders_of_this_machine():
    text = one_line(f"failed\n in {os.getcwd()}/data/a.png\n" + 400 * "x")
    assert text.startswith("failed in data/a.png x") and len(text) == 300
