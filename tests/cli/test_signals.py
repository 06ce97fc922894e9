"""SIGTERM at several moments of real processes: one line, exit code 143, no file that is half-written."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads signal handlers from /proc"),
]
LINE = "stopped; no file is half-written; run the same command again"
CATCHES_SIGTERM = 1 << (signal.SIGTERM - 1)


def handles_sigterm(process) -> bool:
    """Return whether a process has installed its handler of SIGTERM."""
    text = Path(f"/proc/{process.pid}/status").read_text()
    return bool(int(text.partition("SigCgt:")[2].split()[0], 16) & CATCHES_SIGTERM)


def terminate(arguments, folder, ready, seconds=0.0):
    """Start a command, send SIGTERM `seconds` after `ready(process)`; returns the exit code and the lines of stderr."""
    command = [sys.executable, "-m", f"keras_radtl.{arguments[0]}", *map(str, arguments[1:])]
    with subprocess.Popen(
        command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        limit = time.monotonic() + 120
        while not ready(process):
            assert process.poll() is None and time.monotonic() < limit, "the command has ended before the signal"
            time.sleep(0.005)
        time.sleep(seconds)
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate(timeout=120)
    return process.returncode, error.splitlines()


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Return a folder of simulated images."""
    from keras_radtl.phantoms import main

    folder = tmp_path_factory.mktemp("images") / "ph"
    assert main(["--count", "60", "--image-size", "32", str(folder)]) == 0
    return folder


def fit(images, output):
    values = ("--epochs", 3, "--weights", "none", "--image-size", 32, "--folds", "none")
    return ("fit", "--data", images / "phantoms.csv", "--output", output, *values)


@pytest.mark.parametrize("seconds", [0.0, 0.2, 0.6, 1.2])
def test_fit_during_import(images, tmp_path, seconds):
    code, lines = terminate(fit(images, "run"), tmp_path, handles_sigterm, seconds)
    assert code == 143, lines
    assert lines[-1].startswith("stopped") and lines[-1].endswith("; run the same command again"), lines
    assert not any("Traceback" in line for line in lines)
    assert list(tmp_path.iterdir()) == []


def test_fit_just_after_the_run_directory_appears(images, tmp_path):
    run = tmp_path / "run"
    code, lines = terminate(fit(images, "run"), tmp_path, lambda _: run.exists())
    assert code == 143 and lines[-1].startswith("stopped "), lines
    assert "run the same command" in lines[-1] and not any("Traceback" in line for line in lines)
    assert json.loads((run / "status.json").read_text())["state"] == "running"
    assert [path.name for path in tmp_path.rglob(".*")] == []


@pytest.fixture(scope="module")
def run(images, tmp_path_factory):
    """Return a finished run."""
    folder = tmp_path_factory.mktemp("run") / "run"
    values = ("--epochs", "1", "--weights", "none", "--image-size", "32", "--folds", "none", "--head", "linear")
    command = [sys.executable, "-m", "keras_radtl.fit", "--data", str(images), "--output", str(folder), *values]
    subprocess.run(command, check=True, capture_output=True, timeout=240)
    return folder


@pytest.mark.parametrize("seconds", [0.0, 0.5, 1.5])
def test_predict(run, images, tmp_path, seconds):
    arguments = ("predict", run, images, "--output", "new.csv")
    code, lines = terminate(arguments, tmp_path, handles_sigterm, seconds)
    assert (code, lines[-1:]) == (143, [LINE]), lines
    assert list(tmp_path.iterdir()) == [], "an output is incomplete"


@pytest.mark.parametrize(
    ("command", "seconds"),  # an audit of so few images may be over after 0.4 s
    [("audit", 0.0), ("phantoms", 0.0), ("phantoms", 0.4), ("doctor", 0.0), ("doctor", 0.4)],
)
def test_other_commands(images, tmp_path, command, seconds):
    arguments = {
        "audit": ("audit", images),
        "phantoms": ("phantoms", "--count", 5000, "out"),
        "doctor": ("doctor",),
    }[command]
    code, lines = terminate(arguments, tmp_path, handles_sigterm, seconds)
    assert (code, lines[-1:]) == (143, [LINE]), lines
    assert list(tmp_path.iterdir()) == [], "an output is incomplete"
