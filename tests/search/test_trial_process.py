"""The worker process of a search; small scripts act as the worker."""

from __future__ import annotations

import os
import threading

import pytest

from keras_radtl.config import Config, UserError
from keras_radtl.runs.interrupt import Stopped, StopRequest
from keras_radtl.search import trial_process
from keras_radtl.search.trial_process import TrialFailed, TrialProcess, one_line

ANSWER = "import json, os, sys\nfor line in sys.stdin: print(json.dumps({0}), flush=True)"


@pytest.fixture
def process(tmp_path, monkeypatch):
    """Return a function that makes a `TrialProcess` whose worker runs some code."""
    made = []

    def make(code: str, stop=None, **kwargs) -> TrialProcess:
        monkeypatch.setattr(trial_process, "WORKER", ("-c", code))
        made.append(TrialProcess(tmp_path / "log.txt", stop or StopRequest(), **kwargs))
        return made[-1]

    yield make
    for each in made:
        each.end()


def test_process_is_replaced_after_some_tasks(process):
    child = process(ANSWER.format("{'outcome': 'done', 'result': {'pid': os.getpid()}}"), tasks=2)
    pids = [child.rehearse([])["pid"] for _ in range(3)]
    assert pids[0] == pids[1] != pids[2]


def test_refusal_is_a_user_error_and_failure_a_failed_trial(process, tmp_path):
    with pytest.raises(UserError, match="no such file"):
        process(ANSWER.format("{'outcome': 'refused', 'text': 'no such file'}")).rehearse([])
    code = ANSWER.format(r"{'outcome': 'failed', 'text': 'loss is NaN,\n  always'}")
    with pytest.raises(TrialFailed, match="^loss is NaN, always$"):
        process(code).train(Config(), tmp_path / "x", {})


def test_dead_process_fails_only_its_trial(process, tmp_path):
    mark = tmp_path / "died"
    first = f"import os, sys\nmark = {str(mark)!r}\nif not os.path.exists(mark):\n    open(mark, 'w')\n"
    die = "    sys.stdin.readline()\n    os.kill(os.getpid(), 9)\n"
    child = process(first + die + ANSWER.format("{'outcome': 'done'}"))
    with pytest.raises(TrialFailed, match="was killed by SIGKILL, perhaps out of memory"):
        child.train(Config(), tmp_path / "x", {})
    child.train(Config(), tmp_path / "x", {})


def test_training_task_of_a_trial(process, tmp_path):
    child = process(ANSWER.format("{'outcome': 'failed', 'text': line}"))
    with pytest.raises(TrialFailed) as caught:
        child.train(Config(), tmp_path / "0003", {"reuse": False})
    assert str(caught.value).startswith('{"task": "train", "name": "trial 0003"')


def test_signal_after_a_trial_ends_the_search(process, tmp_path):
    stop = StopRequest()
    code = "import signal, sys, time\nsys.stdin.readline()\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    child = process(code + 'time.sleep(1)\nprint(\'{"outcome": "done"}\', flush=True)\nsys.stdin.read()', stop)
    child.start()
    threading.Timer(0.8, lambda: setattr(stop, "code", 143)).start()
    with pytest.raises(Stopped) as caught:
        child.train(Config(), tmp_path / "x", {})
    assert caught.value.code == 143


def test_messages_are_one_line_without_local_folders():
    text = one_line(f"failed\n in {os.getcwd()}/data/a.png\n" + 400 * "x")
    assert text.startswith("failed in data/a.png x") and len(text) == 300
