"""A finished run as text."""

from __future__ import annotations

import pytest

from keras_radtl.reports.run_text import group_text, metrics_table, show_run
from keras_radtl.runs.directory import RunDirectory
from keras_radtl.runs.files import write_csv, write_json

METRICS = {"test": {"auc": {"value": 0.9, "ci_low": 0.8, "ci_high": 0.95, "n": 20, "method": "DeLong"}}}


CLASSIFIER = {"classes": ["no", "yes"], "multilabel": False, "image_shape": [8, 8, 1]}
ONE_SPLIT = CLASSIFIER | {"best_epoch": 3, "epochs": 8, "best_val_auc": 0.75, "monitor": "val_auc"}


@pytest.fixture
def run(tmp_path):
    write_json(tmp_path / "metrics.json", METRICS)
    write_json(tmp_path / "summary.json", ONE_SPLIT)
    return RunDirectory(tmp_path)


def test_one_split(run):
    text = show_run(run)
    assert "0.900 [0.800, 0.950]" in text and "best epoch 3 of 8" in text and "excluded" not in text
    for line in (f"model:    {run / 'model.keras'}", f"figures:  {run / 'figures'}", f"run:      {run.path}"):
        assert line in text.splitlines()


def test_folds(run):
    write_json(run / "summary.json", CLASSIFIER | {"fold_auc": [0.75, 0.5], "fold_val_auc": [0.8, 0.6]})
    text = show_run(run)
    assert "test AUC by fold: 0.750, 0.500" in text and str(run.path / "fold_*" / "model.keras") in text


def test_both_aucs_of_folds_are_explained(run):
    write_json(run / "summary.json", CLASSIFIER | {"fold_auc": [0.75, 0.5]})
    auc = METRICS["test"]["auc"]
    write_json(run / "metrics.json", {"test": {"auc": auc, "auc_fold_mean": auc | {"value": 0.625}}})
    lines = show_run(run).splitlines()
    assert any(line.split() == ["auc_fold_mean", "0.625", "[0.800,", "0.950]"] for line in lines)
    assert "auc: of the pooled test predictions of all folds; auc_fold_mean: mean of the test AUC of each fold" in lines


THRESHOLD = {"value": 0.3, "rule": "youden", "sensitivity": 0.9, "specificity": 0.85}


def test_threshold_is_in_the_table_with_its_validation_rates(run):
    write_json(run / "summary.json", ONE_SPLIT | {"threshold": THRESHOLD})
    lines = show_run(run).splitlines()
    assert "threshold  0.300" in [line.rstrip() for line in lines]
    assert "threshold: youden on validation cases (sensitivity 0.900, specificity 0.850 there)" in lines


def test_thresholds_of_folds(run):
    folds = {"fold_auc": [0.75, 0.5], "fold_threshold": [0.4, 0.2], "threshold": THRESHOLD}
    write_json(run / "summary.json", CLASSIFIER | folds)
    text = show_run(run)
    assert "threshold  0.200 to 0.400, by fold" in text
    assert "youden on validation cases of each fold; for new images 0.300, on those of all folds (sensitivity" in text


def test_given_threshold_has_no_note(run):
    write_json(run / "summary.json", ONE_SPLIT | {"threshold": THRESHOLD | {"rule": "0.3"}})
    text = show_run(run)
    assert "threshold  0.300" in text and "validation cases" not in text


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


def test_notes_are_below_the_table():
    few = {"value": 0.5, "ci_low": None, "ci_high": None, "n": 3, "method": "no interval: one positive case"}
    assert metrics_table({"train": {"auc": few}, "test": {"auc": few}}, ("val", "test")).splitlines()[2:] == [
        "WARNING: test: 3 cases; intervals are wide or missing",
        "test, auc: no interval: one positive case",
    ]


def test_layer_groups_have_totals():
    assert group_text([("stem", 3, 1000, 0), ("head", 1, 20, 20)]).splitlines() == [
        "group  layers  parameters  trainable",
        "stem        3       1,000          0",
        "head        1          20         20",
        "total       4       1,020         20",
    ]
