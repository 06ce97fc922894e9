"""The tables of a run as DataFrames."""

from __future__ import annotations

import pandas as pd
import pytest

from keras_radtl.config import UserError
from keras_radtl.runs.directory import RunDirectory
from keras_radtl.runs.files import write_csv, write_json
from keras_radtl.runs.tables import METRIC_COLUMNS, metrics_frame, read_history, read_metrics, read_predictions


@pytest.fixture
def run(tmp_path):
    return RunDirectory(tmp_path)


def test_missing_interval_is_nan():
    metric = {"value": 0.75, "ci_low": None, "ci_high": None, "n": 4, "method": "none"}
    frame = metrics_frame({"auc": metric, "kappa": {**metric, "value": None}})
    assert list(frame.columns) == list(METRIC_COLUMNS) and frame.index.tolist() == ["auc", "kappa"]
    assert frame.loc["auc", "value"] == 0.75 and frame["ci_low"].isna().all() and pd.isna(frame.loc["kappa", "value"])
    assert frame.dtypes[["value", "ci_low", "ci_high"]].tolist() == [float] * 3


def test_metrics_by_split(run):
    metric = {"value": 0.5, "ci_low": 0.4, "ci_high": 0.6, "n": 9, "method": "DeLong"}
    write_json(run / "metrics.json", {"val": {"auc": metric}, "test": {"auc": {**metric, "n": 8}}})
    found = read_metrics(run)
    assert list(found) == ["val", "test"] and found["test"].loc["auc", "n"] == 8


def test_history_of_folds_has_the_fold_first(run):
    write_csv(run / "history.csv", ["epoch", "loss"], [[1, 0.5]])
    for fold in (1, 2):
        write_csv(run.fold(fold) / "history.csv", ["epoch", "loss"], [[1, 0.5], [2, 0.25 * fold]])
    assert read_history(run, 0).to_dict("records") == [{"epoch": 1, "loss": 0.5}]
    found = read_history(run, 2)
    assert list(found.columns) == ["fold", "epoch", "loss"] and found["fold"].tolist() == [1, 1, 2, 2]
    assert found.index.tolist() == [0, 1, 2, 3]


def test_predictions_have_numbers_and_unescaped_text(run):
    write_csv(run / "predictions_val.csv", ["case", "label", "logit_a", "prob_a"], [["=1", "007", -1.5, 0.25]])
    found = read_predictions(run, "val")
    assert found.to_dict("records") == [{"case": "=1", "label": "007", "logit_a": -1.5, "prob_a": 0.25}]


@pytest.mark.parametrize("split", ["test", "holdout", "../val"])
def test_missing_split_is_an_error(run, split):
    write_csv(run / "predictions_val.csv", ["case"], [["a"]])
    with pytest.raises(UserError, match="`split` must be one of val. Received: split="):
        read_predictions(run, split)
