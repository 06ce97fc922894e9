"""`evaluate`: a run again, or its model on new labeled images."""

from __future__ import annotations

import json

import numpy as np
import pytest

from keras_radtl.config import UserError
from keras_radtl.data.table import CaseTable
from keras_radtl.evaluate import main
from keras_radtl.runs.evaluation import align_classes

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")


@pytest.fixture(scope="module")
def run(tiny_fit, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate") / "run"
    assert tiny_fit(folder, "--epochs", "1") == 0
    return folder


def table_of(classes, targets) -> CaseTable:
    names = tuple(map(str, range(len(targets))))
    return CaseTable("new", None, names, names, names, classes, np.array(targets, np.int32))


def test_classes_are_matched_by_name_not_by_number():
    aligned = align_classes(table_of(("b", "c"), [0, 1, -1]), ("a", "b", "c"))
    assert aligned.classes == ("a", "b", "c")
    assert aligned.targets.tolist() == [1, 2, -1]


def test_a_class_that_the_run_does_not_know_is_refused():
    with pytest.raises(UserError, match="The run has no class 'd'"):
        align_classes(table_of(("b", "d"), [0, 1]), ("a", "b"))


def test_without_data_the_table_of_the_run_is_shown(run, capsys):
    assert main([str(run)]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("train (n=", "val (n=", "test (n=", "auc"))


def test_all_cases_of_the_run_again_have_the_metrics_of_its_parts(run, pictures, tmp_path, capsys):
    out = tmp_path / "external"
    assert main([str(run), "--data", str(pictures), "--output", str(out)]) == 0
    metrics = json.loads((out / "metrics.json").read_text())["test"]
    parts = json.loads((run / "metrics.json").read_text())
    counts = {name: part["accuracy"]["n"] for name, part in parts.items()}
    right = sum(parts[name]["accuracy"]["value"] * n for name, n in counts.items())
    assert metrics["accuracy"]["n"] == sum(counts.values()) == 60
    assert metrics["accuracy"]["value"] == pytest.approx(right / 60)
    assert (out / "figures" / "roc.png").is_file()


def test_new_data_need_a_new_folder(run, pictures, tmp_path, capsys):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "file").write_text("")
    assert main([str(run), "--data", str(pictures)]) == 2
    assert main([str(run), "--data", str(pictures), "--output", str(tmp_path / "old")]) == 2
    assert [path.name for path in (tmp_path / "old").iterdir()] == ["file"]
