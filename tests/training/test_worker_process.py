"""The parent of a worker: answers, a dead process, replacement, stops and a full disk. Small scripts act as workers."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import pytest

from keras_radtl.config import UserError
from keras_radtl.config.wording import FlagFormatter
from keras_radtl.runs.interrupt import Stopped, StopRequest
from keras_radtl.training.worker import WORDING
from keras_radtl.training.worker_process import WorkerProcess

ANSWER = (
    "import json, os, sys\nfor line in sys.stdin:\n    task = json.loads(line)\n"
    "    print(json.dumps({'outcome': 'done', 'result': {'pid': os.getpid()}, **task}), flush=True)"
)


@pytest.fixture
def process(tmp_path):
    """Return a function that makes a `WorkerProcess` whose worker runs some code; `answer(task)` echoes the task."""
    made = []

    def make(code: str = ANSWER, stop=None, tasks=None) -> WorkerProcess:
        made.append(WorkerProcess(("-c", code), tmp_path / "log.txt", stop or StopRequest(), tasks))
        return made[-1]

    yield make
    for each in made:
        each.end(0.0)


def pids(process, *tasks) -> list[int]:
    return [process.ask(task).result["pid"] for task in tasks]


def test_a_process_is_replaced_after_its_tasks(process):
    found = pids(process(tasks=2), {}, {}, {}, {}, {})
    assert found[0] == found[1] != found[2] == found[3] != found[4]
    assert os.getpid() not in found


def test_a_process_with_much_memory_is_replaced(process):
    found = pids(process(), {}, {"memory": 10**15}, {}, {})
    assert found[0] == found[1] != found[2] == found[3]


def test_a_process_is_kept_after_a_refusal_and_replaced_after_a_failure(process):
    found = pids(process(), {}, {"outcome": "refused"}, {"outcome": "failed"}, {})
    assert found[0] == found[1] == found[2] != found[3]


def test_a_process_that_dies_is_an_answer(process, tmp_path):
    mark = tmp_path / "died"
    die = (
        f"import os, sys\nif not os.path.exists({str(mark)!r}):\n    open({str(mark)!r}, 'w')\n"
        "    sys.stdin.readline()\n    os.kill(os.getpid(), 9)\n"
    )
    worker = process(die + ANSWER)
    answer = worker.ask({})
    assert (answer.outcome, answer.text) == ("died", "its process was killed by SIGKILL, perhaps out of memory")
    assert worker.ask({}).outcome == "done"
    assert process("raise SystemExit(3)").ask({}).text == "its process ended with exit code 3"


def test_a_worker_that_somebody_else_stops_has_died(process):
    answer = process().ask({"outcome": "stopped", "text": "stopped in epoch 1"})
    assert (answer.outcome, answer.text) == ("died", "its process was stopped by a signal")


def test_a_full_disk_ends_everything(process):
    with pytest.raises(UserError, match="No space left on device: a.csv. What was written before is intact"):
        process().ask({"outcome": "disk_full", "text": "No space left on device: a.csv"})


def test_a_stop_is_passed_on(process):
    code = (
        'import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: print(\'{"outcome": "stopped"}\', '
        "flush=True))\nsys.stdin.readline()\ntime.sleep(1)\nsys.stdin.read()"
    )
    stop = StopRequest()
    worker = process(code, stop)
    worker.start()
    threading.Timer(1.0, lambda: setattr(stop, "code", 130)).start()
    with pytest.raises(Stopped, match="^stopped in b; run the same command to resume$") as caught:
        worker.ask({"name": "b"})
    assert caught.value.code == 130
    with pytest.raises(Stopped, match="between two runs"):
        worker.ask({})


def test_a_task_that_ends_despite_a_stop_is_done(process):
    stop = StopRequest()
    late = "    import signal, time\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n    time.sleep(1)\n    print"
    worker = process(ANSWER.replace("    print", late), stop)
    worker.start()
    threading.Timer(0.6, lambda: setattr(stop, "code", 143)).start()
    assert worker.ask({}).outcome == "done"
    with pytest.raises(Stopped):
        worker.ask({})


def test_the_cache_is_passed_and_removed(process, tmp_path):
    code = ANSWER.replace("os.getpid()", "sys.argv[1:]")
    worker = process(code)
    folder, cache = worker.ask({}).result["pid"]
    assert folder == str(tmp_path) and Path(cache).is_dir()
    worker.end()
    assert not Path(cache).exists()


def test_a_second_interrupt_kills_the_process_at_once(process):
    with pytest.raises(KeyboardInterrupt), process("import time\nwhile True: time.sleep(60)") as worker:
        worker.start()
        child = worker._child._process
        raise KeyboardInterrupt
    assert child.poll() is not None, "it has ended"


def test_the_worker_of_a_command_knows_that_its_log_has_flags(process, monkeypatch):
    tell = ANSWER.replace("{'pid': os.getpid()}", f"{{'flags': os.environ.get({WORDING!r})}}")
    assert process(tell).ask({}).result == {"flags": None}
    handler = logging.StreamHandler()
    handler.setFormatter(FlagFormatter("%(message)s"))
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    assert process(tell).ask({}).result == {"flags": "1"}
