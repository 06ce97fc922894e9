"""A finished run as text."""

from __future__ import annotations

import pytest

from keras_radtl.metrics.classification import classification_metrics
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


def notes(targets, scores, groups=None):
    """Return the lines below the table of the metrics of a binary split."""
    probabilities = [[1 - score, score] for score in scores]
    found = classification_metrics(targets, probabilities, ("no", "yes"), groups, replicates=50)
    return metrics_table({"test": {name: metric._asdict() for name, metric in found.items()}}).splitlines()[10:]


def test_few_cases_and_missing_intervals_are_explained_below_the_table():
    few = notes([0, 0, 1], [0.1, 0.2, 0.7])
    assert few[0] == "WARNING: test: 3 cases, 1 of one class; intervals are wide or missing"
    assert few[1].startswith("test, brier, log_loss: no interval: undefined in ")
    assert notes([0] * 12, [i / 30 for i in range(12)]) == [
        "WARNING: test: 12 cases, 0 of one class; intervals are wide or missing",
        "test, auc: undefined: no positive case",
        "test, f1, sensitivity, balanced_accuracy, average_precision: undefined: no case of class yes",
    ]


def test_clustered_intervals_are_named_below_the_table():
    targets, scores = [0, 1] * 20, [(7 * i % 40) / 40 for i in range(40)]
    assert notes(targets, scores) == []
    clustered = notes(targets, scores, groups=[i // 4 for i in range(40)])
    assert clustered == ["test: intervals are clustered, since groups (patients) have several cases"]


def test_layer_groups_have_totals():
    assert group_text([("stem", 3, 1000, 0), ("head", 1, 20, 20)]).splitlines() == [
        "group  layers  parameters  trainable",
        "stem        3       1,000          0",
        "head        1          20         20",
        "total       4       1,020         20",
    ]
