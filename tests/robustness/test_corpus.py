"""Bad input to every command: exit code 2, one line that names what is wrong, and nothing written, in ten seconds."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import tempfile
import time
from collections import defaultdict
from itertools import chain
from pathlib import Path

import pytest
from corpus import CASES, Place, tree

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation"),
    pytest.mark.usefixtures("tiny_backbone"),
]
SECONDS = 10
SAMPLE = 10  # the inner loop tries one of this many
TINY_TUNE = Path(__file__).parents[1] / "search" / "tiny_tune.py"
WORK = (  # what begins the work of a command
    "training.train.read_data", "runs.trained_model._load_model", "reports.model_comparison.read_scored_cases",
    "reports.analysis.as_result_table", "data.phantoms.generate.phantoms", "search.search.TrialProcess",
    "sweeps.execute._count_cases",
)  # fmt: skip


def sample() -> set[str]:
    """Return the cases of the inner loop: from each table and for each command, the first fast one and every tenth."""
    alike = defaultdict(list)
    for name, case in CASES.items():
        if not case.slow:
            alike[name.partition(":")[0], case.command].append(name)
    return set(chain.from_iterable(names[::SAMPLE] for names in alike.values()))


INNER_LOOP = sample()


def main_of(command: str):
    """Return the function `main` of a command."""
    return importlib.import_module(f"keras_radtl.{command}" + ".__main__" * (command == "models")).main


@contextlib.contextmanager
def time_limit():
    """Raise an error in a call that takes too long, also when it waits for a pipe."""

    def late(*_):
        raise AssertionError(f"more than {SECONDS} s")

    old = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


def forbid_work(monkeypatch) -> None:
    """Make the first step of every command fail."""

    def begin(*_, **__):
        raise AssertionError("the work has begun")

    for name in WORK:
        module, _, function = name.rpartition(".")
        monkeypatch.setattr(importlib.import_module(f"keras_radtl.{module}"), function, begin)


@pytest.fixture
def place(tmp_path, shared, monkeypatch) -> Place:
    """Return an empty working folder; temporary files go beside it."""
    for name in ("here", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return Place(tmp_path / "here", shared)


@pytest.mark.parametrize(
    "name", [name if name in INNER_LOOP else pytest.param(name, marks=pytest.mark.slow) for name in CASES]
)
def test_bad_input_is_one_line_and_leaves_nothing(name, place, untouched, monkeypatch, capfd):
    case = CASES[name]
    if case.prepare:
        case.prepare(place)
    if case.early:
        forbid_work(monkeypatch)
    if case.command == "tune":
        monkeypatch.setattr("keras_radtl.search.trial_process.WORKER", (str(TINY_TUNE), "worker"))
    argv, before = case.arguments(place), tree(place.here.parent)
    capfd.readouterr()
    start = time.monotonic()
    with time_limit():
        code = main_of(case.command)(argv)
    out, err = capfd.readouterr()
    os.chdir(place.here)
    assert code == 2, (code, out[-300:], err[-300:])
    assert err.startswith("error: ") and err.count("\n") == 1 and err.endswith("\n"), err[-2000:]
    assert len(err) <= 301 and err.rstrip("\n").isprintable(), err
    assert case.expected.replace("_", "-") in err.replace("_", "-"), err
    assert tree(place.here.parent) == before
    assert time.monotonic() - start < SECONDS


def test_the_corpus_is_large_and_leaves_the_valid_inputs_as_they_are(untouched):
    commands = {
        "fit", "evaluate", "predict", "audit", "compare", "analyze", "sweep", "tune", "phantoms", "models", "doctor",
    }  # fmt: skip
    assert len(CASES) >= 3000 and len(INNER_LOOP) >= 300
    for names in (CASES, INNER_LOOP):
        assert {CASES[name].command for name in names} == commands
    untouched()
