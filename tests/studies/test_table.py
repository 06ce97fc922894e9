"""Studies and spaces by name: a file, then the folder `tuners/`, then the package."""

from __future__ import annotations

import pytest

from keras_radtl.config import Config, UserError
from keras_radtl.studies.table import STUDIES, get_space, get_study, known_studies


@pytest.fixture(autouse=True)
def empty_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("short", STUDIES)
def test_both_names_of_a_study(short):
    first, second = get_study(short), get_study(STUDIES[short])
    assert first == second and first.name == short and first.title and not first.file


def test_files_come_before_tuners_and_these_before_the_package(empty_folder):
    (empty_folder / "tuners").mkdir()
    for name, title in (("fts.py", "a file"), ("tuners/fts.py", "a tuner"), ("tuners/other.py", "another")):
        (empty_folder / name).write_text(f'"""{title}"""\n\ndef runs(choices):\n    return []\n')
    (empty_folder / "tuners" / "space.py").write_text("SPACE = {}\n")
    assert get_study("fts.py").title == "a file"
    found = get_study("fts")
    assert (found.title, found.name, found.file) == ("a tuner", "fts", str(empty_folder / "tuners" / "fts.py"))
    assert get_study("grid176").title.startswith("The 176 runs")
    assert known_studies() == sorted([*STUDIES, "other"])


def test_an_unknown_study_lists_the_known_ones():
    with pytest.raises(
        UserError, match="^No list of runs 'grid177'. Known: fts, grid176, radimagenet24, unfreezing, or a Python file"
    ):
        get_study("grid177")
    with pytest.raises(UserError, match="^No list of runs 'missing.py'"):
        get_study("missing.py")


def test_a_space_by_name_and_from_a_python_file(empty_folder):
    assert get_space("default", Config()).keys
    file = empty_folder / "mine.py"
    file.write_text('SPACE = {"training.optimizer": ["adam", "sgd"]}\n')
    assert get_space(file, Config()).keys == ("training.optimizer",)
    file.write_text("")
    with pytest.raises(UserError, match="mine.py must define SPACE"):
        get_space(file, Config())
    file.write_text("SPACE = {\n")
    with pytest.raises(UserError, match="mine.py, line 1: SyntaxError: "):
        get_space(file, Config())
