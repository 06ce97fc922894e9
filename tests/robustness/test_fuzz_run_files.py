"""Random damage to the files of a run: what reads them gives a value or names the file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from fuzzing import fuzz
from hypothesis import strategies as st

from keras_radtl.config import UserError
from keras_radtl.runs.directory import RunDirectory
from keras_radtl.runs.predictions import read_scored_cases
from keras_radtl.runs.run import load_run

RUN = Path(__file__).parents[1] / "reference" / "run_0_1"
FILES = ("config.json", "summary.json", "metrics.json", "status.json", "environment.json")
TABLES = ("predictions_test.csv", "history.csv")
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
JUNK = PLAIN | st.lists(PLAIN, max_size=3) | st.dictionaries(st.text(max_size=5), PLAIN, max_size=3)


def places(value, path=()) -> list[tuple]:
    """Return the paths of all values in nested dicts and lists."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [place for key, child in children for place in places(child, (*path, key))]


CONTENT = {name: (RUN / name).read_bytes() for name in (*FILES, *TABLES)}
PLACES = [(name, place) for name in FILES for place in [(), *places(json.loads(CONTENT[name]))]]
GONE = object()
pytestmark = pytest.mark.usefixtures("tiny_backbone")


def replaced(name: str, place: tuple, value) -> bytes:
    """Return the JSON file with one value replaced or removed."""
    content = json.loads(CONTENT[name])
    if not place:
        return b"" if value is GONE else json.dumps(value).encode()
    parent = content
    for key in place[:-1]:
        parent = parent[key]
    if value is GONE:
        del parent[place[-1]]
    else:
        parent[place[-1]] = value
    return json.dumps(content).encode()


def damaged(name: str, start: int, length: int, new: bytes) -> bytes:
    """Return the bytes of the file with some of them replaced."""
    content = CONTENT[name]
    start %= len(content)
    return content[:start] + new + content[start + length :]


CHANGES = st.tuples(st.sampled_from(PLACES), JUNK | st.just(GONE)).map(lambda d: (d[0][0], replaced(*d[0], d[1])))
DAMAGE = st.tuples(
    st.sampled_from([*FILES, *TABLES]), st.integers(0, 10**6), st.sampled_from([0, 1, 5, 10**9]), st.binary(max_size=4)
).map(lambda d: (d[0], damaged(*d)))


def read_all(folder: Path) -> None:
    """Use all readers of a run that need no model, each on its own."""
    readers = [
        lambda: RunDirectory(folder).finished,
        lambda: RunDirectory(folder).config(),
        lambda: load_run(folder).metrics,
        lambda: load_run(folder).history,
        lambda: load_run(folder).predictions("test"),
        lambda: (load_run(folder).classes, load_run(folder).multilabel, load_run(folder).folds),
        lambda: repr(load_run(folder)),
        lambda: read_scored_cases(folder),
    ]
    errors = []
    for reader in readers:
        try:
            reader()
        except UserError as error:
            errors.append(error)
    if errors:
        raise max(errors, key=lambda error: len(str(error)))


@pytest.mark.parametrize("examples", [40, pytest.param(900, marks=pytest.mark.slow)])
def test_damaged_files(tmp_path, examples):
    folder = tmp_path / "run"
    shutil.copytree(RUN, folder)

    def check(drawn):
        name, content = drawn
        (folder / name).write_bytes(content)
        try:
            read_all(folder)
        finally:
            (folder / name).write_bytes(CONTENT[name])

    fuzz(check, CHANGES | DAMAGE, examples)


@pytest.mark.parametrize("name", [*FILES, *TABLES])
def test_missing_files(tmp_path, name):
    folder = tmp_path / "run"
    shutil.copytree(RUN, folder)
    (folder / name).unlink()
    try:
        read_all(folder)
    except UserError as error:
        assert str(folder) in str(error)
