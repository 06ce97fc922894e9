"""The lock of a folder: one writer at a time, also after a process was killed."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys

import pytest

from keras_radtl.runs.lock import locked


def test_lock_admits_one_writer(tmp_path):
    with locked(tmp_path / "run"):
        code = (
            "import sys\nfrom keras_radtl.config import UserError\nfrom keras_radtl.runs.lock import locked\n"
            "try:\n    with locked(sys.argv[1]): print('in')\nexcept UserError as error: print(error)"
        )
        script = [sys.executable, "-c", code]
        done = subprocess.run([*script, str(tmp_path / "x" / ".." / "run")], capture_output=True, text=True, check=True)
        assert "Another process is writing" in done.stdout
        assert (
            subprocess.run([*script, str(tmp_path / "other")], capture_output=True, text=True, check=True).stdout
            == "in\n"
        )
    assert subprocess.run([*script, str(tmp_path / "run")], capture_output=True, text=True, check=True).stdout == "in\n"


def test_lock_of_a_killed_process_is_released(tmp_path):
    code = (
        "import sys, time\nfrom keras_radtl.runs.lock import locked\n"
        "with locked(sys.argv[1]):\n    print('in', flush=True)\n    time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "in\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    with locked(tmp_path / "run"):
        pass


def test_lock_file_and_new_parents_are_removed(tmp_path):
    with locked(tmp_path / "a" / "b" / "run"):
        assert (tmp_path / "a" / "b").is_dir()
    assert os.listdir(tmp_path) == []


def test_lock_is_released_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "run"):
        raise ZeroDivisionError
    with locked(tmp_path / "run"):
        pass


def test_lock_does_not_depend_on_the_temporary_folder(tmp_path):
    code = (
        "import sys\nfrom keras_radtl.config import UserError\nfrom keras_radtl.runs.lock import locked\n"
        "try:\n    with locked(sys.argv[1]): print('in')\nexcept UserError as error: print(error)"
    )
    with locked(tmp_path / "run"):
        assert sorted(os.listdir(tmp_path)) == [".run.lock"]
        (tmp_path / "other").mkdir()
        found = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "run")],
            capture_output=True, text=True, check=True, env={**os.environ, "TMPDIR": str(tmp_path / "other")},
        )  # fmt: skip
        assert "Another process is writing" in found.stdout


def test_file_system_without_locks_is_a_warning(tmp_path, monkeypatch, caplog):
    import fcntl

    def fail(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", fail)
    with locked(tmp_path / "run"):
        pass
    assert "no lock (No locks available)" in caplog.text and os.listdir(tmp_path) == []
