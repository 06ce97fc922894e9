"""A fit, a sweep and a search that fail or are killed at any operation of the file system end in the same bits."""

from __future__ import annotations

import gc
import sys
import tempfile
import types

import pytest
from crash_states import COMMANDS, FOLDS, TINY, Place, WorkerInThisProcess, failures
from faults import FULL, Faults

from keras_radtl.config import Config, update

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="names of open files are read from /proc"),
    pytest.mark.filterwarnings("ignore:.*imp.*:DeprecationWarning"),
    pytest.mark.usefixtures("tiny_backbone"),
]
POINTS = 250  # at least, in each of the three commands


@pytest.fixture(scope="module")
def datasets(tiny_backbone):
    """Return the data set of the fit and that of the sweep and the search."""
    from keras_radtl.training.train import load_data

    return load_data(update(Config(), {**TINY, **FOLDS})), load_data(update(Config(), TINY))


@pytest.fixture
def place(request, tmp_path, datasets, outcome, capsys, monkeypatch):
    """Return the place of a command; all its work is done in this process, and its clock stands still."""
    if request.param == "tune":
        io = pytest.importorskip("keras_tuner.src.backend.io")
        monkeypatch.setattr(io, "File", lambda name, mode="r": open(name, mode))  # else TensorFlow opens its files
    monkeypatch.setattr("keras_radtl.training.worker_process.ChildProcess", WorkerInThisProcess)
    monkeypatch.setattr("keras_radtl.training.worker.Worker.load", lambda *_: datasets[1])
    monkeypatch.setattr("keras_radtl.sweeps.local_engine._measure", lambda *_: "not measured")
    monkeypatch.setattr("keras_radtl.training.train.time", types.SimpleNamespace(monotonic=lambda: 0.0))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    root = tmp_path / "work"
    root.mkdir()
    monkeypatch.setenv("KERAS_RADTL_CACHE", str(root / "cache"))
    gc.collect()
    gc.freeze()  # Keras collects garbage before each model
    yield Place(request.param, root, datasets[0], outcome, capsys)
    gc.unfreeze()


def all_commands():
    return pytest.mark.parametrize("place", COMMANDS, indirect=True)


@pytest.mark.slow
@all_commands()
def test_killed_before_or_after_any_operation(place):
    states = place.record()
    assert 2 * (len(states) - 1) >= POINTS  # before and after each operation

    def resume(number: int) -> None:
        place.restore(states[number])
        place.resume()

    assert problems(resume, range(len(states))) == {}


def problems(check, points) -> dict[str, list]:
    """Return the points at which a check fails, by the message."""
    found: dict[str, list] = {}
    for point in points:
        try:
            check(point)
        except Exception as error:  # also of the command
            found.setdefault(f"{type(error).__name__}: {error}".partition("\n")[0], []).append(point)
    return found


def fail(place: Place, at: int, kind: str) -> None:
    """Let an operation fail; the command refuses in one line or goes on, and ends in the same bits.

    A sweep goes on after a run that failed, and names it in its results; the same command then repeats that run.
    """
    place.restore({})
    faults = Faults(place.root, at=at, kind=kind)
    code, text = place.run(faults)
    assert faults.hit
    assert code in (0, 2)
    if code == 2:
        assert text.startswith("error: ") and text.count("\n") == 1 and len(text) <= 301, text
        place.resume()
    elif ",failed," in place.results().get("results.csv", ""):
        place.resume()
    else:
        assert place.results() == place.expected


@pytest.mark.slow
@all_commands()
def test_failed_operations(place):
    place.record()
    faults = Faults(place.root)
    place.restore({})
    place.run(faults)
    assert problems(lambda point: fail(place, *point), failures(faults.operations, 60)) == {}


@pytest.mark.slow
@pytest.mark.parametrize("place", ["fit"], indirect=True)
def test_killed_in_the_middle(place):
    states = place.record()
    place.restore(states[len(states) // 2])
    place.resume()


@pytest.mark.slow
@pytest.mark.parametrize("place", ["fit"], indirect=True)
def test_full_cache_changes_nothing(place):
    place.record()
    place.restore({})
    cache = place.root / "cache"
    faults = Faults(cache, at=0, kind=FULL)
    assert place.run(faults) == (0, "") and faults.hit
    assert place.results() == place.expected and not any(path.is_file() for path in cache.rglob("*"))


@pytest.mark.parametrize("place", ["fit"], indirect=True)
@pytest.mark.parametrize(("folder", "at"), [("work/out", 0), ("work/out", 60), ("temporary", 0)])
def test_full_output_and_full_temporary_folder_are_one_line(place, folder, at):
    path = place.root.parent / folder
    faults = Faults(path, at=at, kind=FULL)
    code, text = place.run(faults)
    assert code == 2 and text.startswith("error: ") and text.count("\n") == 1 and faults.hit
    assert "No space left on device" in text and str(path) in text
