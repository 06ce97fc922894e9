"""A finished run as text."""

from __future__ import annotations

import pytest

from keras_radtl.reports.run_text import group_text, metrics_table, show_run
from keras_radtl.runs.directory import RunDirectory
from keras_radtl.runs.files import write_csv, write_json

METRICS = {"test": {"auc": {"value": 0.9, "ci_low": 0.8, "ci_high": 0.95, "n": 20, "method": "DeLong"}}}


@pytest.fixture
def run(tmp_path):
    write_json(tmp_path / "metrics.json", METRICS)
    write_json(tmp_path / "summary.json", {"best_epoch": 3, "epochs": 8, "best_val_auc": 0.75, "monitor": "val_auc"})
    return RunDirectory(tmp_path)


def test_one_split(run):
    text = show_run(run)
    assert "0.900 [0.800, 0.950]" in text and "best epoch 3 of 8" in text and "excluded" not in text
    for line in (f"model:    {run / 'model.keras'}", f"figures:  {run / 'figures'}", f"run:      {run.path}"):
        assert line in text.splitlines()


def test_folds(run):
    write_json(run / "summary.json", {"fold_auc": [0.75, 0.5], "fold_val_auc": [0.8, 0.6]})
    text = show_run(run)
    assert "test AUC by fold: 0.750, 0.500" in text and str(run.path / "fold_*" / "model.keras") in text


def test_excluded_files_are_counted(run):
    write_csv(run / "rejected.csv", ["path", "reason"], [["a.png", "empty"], ["b.png", "empty"]])
    assert f"excluded: 2 files, see {run / 'rejected.csv'} for the reasons" in show_run(run)


def test_metrics_have_a_column_for_each_split():
    metrics = {
        "val": {
            "auc": {"value": 0.9, "ci_low": 0.8, "ci_high": 0.95, "n": 20},
            "kappa": {"value": 0.5, "ci_low": None, "ci_high": None, "n": 20},
        },
        "test": {"auc": {"value": None, "ci_low": None, "ci_high": None, "n": 10}},
    }
    assert [line.rstrip() for line in metrics_table(metrics).splitlines()] == [
        "       val (n=20)            test (n=10)",
        "auc    0.900 [0.800, 0.950]  -",
        "kappa  0.500                 -",
    ]


def test_layer_groups_have_totals():
    assert group_text([("stem", 3, 1000, 0), ("head", 1, 20, 20)]).splitlines() == [
        "group  layers  parameters  trainable",
        "stem        3       1,000          0",
        "head        1          20         20",
        "total       4       1,020         20",
    ]
