"""Children: their environment, one question, messages, stops and ends."""

from __future__ import annotations

import os
import signal
import threading
import time
from types import SimpleNamespace

import pytest

from keras_radtl.system.child_process import PACKAGE_ROOT, ChildProcess, ask, describe_end, python_path

ECHO = "import json, sys\nfor line in sys.stdin: print(line, end='', flush=True)"


@pytest.fixture
def child(tmp_path):
    """Return a function that starts a child which runs some code; its log is `log.txt` in the folder of the test."""
    started = []

    def start(code: str, stop=None, environment=None) -> ChildProcess:
        started.append(ChildProcess(["-c", code], tmp_path / "log.txt", stop, environment))
        return started[-1]

    yield start
    for each in started:
        each.end(0.0)


def test_a_child_imports_the_same_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    reply = ask(["-c", "import keras_radtl; print(keras_radtl.__file__)"])
    assert reply.last_output == str(PACKAGE_ROOT / "keras_radtl" / "__init__.py")


def test_the_python_path_is_extended_once():
    first = python_path({"PYTHONPATH": "/a"})
    assert first == os.pathsep.join([str(PACKAGE_ROOT), "/a"])
    assert python_path({"PYTHONPATH": first}) == first
    assert python_path({}) == str(PACKAGE_ROOT)


def test_a_question_and_its_answer():
    reply = ask(["-c", "import sys; print('noise'); print(sys.stdin.read().upper())"], "words")
    assert (reply.code, reply.last_output, reply.error) == (0, "WORDS", "")


def test_the_variables_of_a_child_are_those_that_are_given():
    code = "import os; print(os.environ.get('ONE'), os.environ.get('HOME'))"
    assert ask(["-c", code], environment={"ONE": "1"}).last_output == "1 None"


@pytest.mark.parametrize(
    "code, problem",
    [
        ("import sys; sys.exit('no such file')", "no such file"),
        ("raise SystemExit(3)", "the process ended with exit code 3"),
        ("import os; os.kill(os.getpid(), 9)", "the process was killed by SIGKILL, perhaps out of memory"),
    ],
)
def test_why_there_is_no_answer(code, problem):
    assert ask(["-c", code]).problem == problem


def test_a_child_that_does_not_answer_in_time_is_killed(tmp_path):
    mark = tmp_path / "pid"
    code = f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    with pytest.raises(TimeoutError, match="no answer after 2 s"):
        ask(["-c", code], seconds=2.0)
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


def test_ends_are_described():
    assert describe_end(1) == "ended with exit code 1"
    assert describe_end(-signal.SIGTERM) == "was killed by SIGTERM"
    assert describe_end(-signal.SIGKILL).endswith("SIGKILL, perhaps out of memory")
    assert describe_end(-200) == "was killed by signal 200"


def test_messages_go_there_and_back(child):
    echo = child(ECHO)
    for message in ({"task": "train", "name": "µ"}, {"n": 1.5, "list": [None, True]}):
        echo.send(message)
        assert echo.receive() == message
    assert echo.end() == 0


def test_a_child_is_in_a_session_of_its_own(child):
    found = child("import json, os; print(json.dumps({'session': os.getsid(0), 'pid': os.getpid()}))").receive()
    assert found["session"] == found["pid"] != os.getsid(0)


def test_stderr_is_appended_to_the_log(child, tmp_path):
    for _ in range(2):
        child("import sys; print('epoch 1', file=sys.stderr)").end()
    assert (tmp_path / "log.txt").read_text() == "epoch 1\nepoch 1\n"


def test_a_child_that_dies_gives_no_message_and_its_exit_code(child):
    dying = child("import os, sys\nsys.stdin.readline()\nprint('{\"half', end='', flush=True)\nos.kill(os.getpid(), 9)")
    dying.send({})
    assert dying.receive() is None and dying.receive() is None
    dying.send({})  # is no error
    assert dying.end() == -signal.SIGKILL


def test_a_stop_is_passed_on_once(child):
    code = """
        import json, signal, sys, time
        seen = []
        signal.signal(signal.SIGTERM, lambda *_: seen.append(1))
        print("{}", flush=True)
        while not seen: time.sleep(0.01)
        time.sleep(0.5)
        print(json.dumps({"seen": len(seen)}), flush=True)
        sys.stdin.read()
    """.replace("\n        ", "\n")
    stop = SimpleNamespace(code=0)
    stopping = child(code, stop)
    assert stopping.receive() == {}
    threading.Timer(0.3, lambda: setattr(stop, "code", 143)).start()
    assert stopping.receive() == {"seen": 1}
    assert stopping.end() == 0


def test_a_child_that_does_not_end_is_killed(child):
    deaf = child("import time\nprint('{}', flush=True)\nwhile True: time.sleep(60)")
    assert deaf.receive() == {}
    started = time.monotonic()
    assert deaf.end(0.2) == -signal.SIGKILL
    assert time.monotonic() - started < 20
