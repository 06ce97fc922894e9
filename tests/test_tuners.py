"""The files in `tuners/` are short copies of the studies of the package, to be edited."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from keras_radtl.studies.hyperband import SPACE
from keras_radtl.studies.run import choices_from
from keras_radtl.studies.table import STUDIES, get_study
from keras_radtl.sweeps.sweep import list_runs

TUNERS = Path(__file__).parents[1] / "tuners"


@pytest.mark.parametrize("name", STUDIES)
def test_a_tuner_lists_the_runs_of_its_study(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    found = [get_study(source) for source in (TUNERS / f"{name}.py", name)]
    paths = dict.fromkeys(found[0].tasks, "images") or "images"
    copied, original = (list_runs(study, choices_from(study, paths, {})) for study in found)
    assert copied == original
    assert found[0].factors == found[1].factors
    copy, study = found
    assert (copy.name, copy.analyses, copy.compare) == (study.name, study.analyses, study.compare)


def test_what_a_copy_changes_takes_effect(tmp_path):
    copy = tmp_path / "mine.py"
    text = (TUNERS / "grid176.py").read_text(encoding="utf-8")
    text = text.replace('"epochs": 5', '"epochs": 7').replace('("cosine", "beta")', '("beta",)')
    copy.write_text(text.replace('TASKS = {"acl": {}, ', "TASKS = {"), encoding="utf-8")
    study = get_study(copy)
    runs = list_runs(study, choices_from(study, {"breast": "images"}, {}))
    assert len(runs) == 44 and study.file == str(copy)
    assert {(run.config.training.epochs, run.config.training.schedule) for run in runs} == {(7, "beta")}


def test_the_space_of_hyperband_is_that_of_the_package():
    assert runpy.run_path(str(TUNERS / "hyperband.py"))["SPACE"] == SPACE


@pytest.mark.parametrize("path", sorted(TUNERS.glob("*.py")), ids=lambda path: path.stem)
def test_a_tuner_is_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 30
