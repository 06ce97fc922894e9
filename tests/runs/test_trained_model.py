"""Loading the models of a finished run."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace

import numpy as np
import pytest

from keras_radtl.config import UserError
from keras_radtl.data.sources import read_table
from keras_radtl.data.views import UNCHANGED
from keras_radtl.metrics.logit_calibration import fit_calibration
from keras_radtl.runs.files import read_csv, read_json, write_json
from keras_radtl.runs.run import load_run
from keras_radtl.runs.trained_model import load_models

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")


@pytest.fixture(scope="module")
def folds(tiny_fit, tmp_path_factory):
    folder = tmp_path_factory.mktemp("load") / "run"
    assert tiny_fit(folder, "--epochs", "1", "--folds", "2", "--train-share", "0.5", "--val-share", "0.4") == 0
    return folder


def test_logits_of_folds_are_calibrated_on_their_validation_cases_and_averaged(folds):
    run = load_models(folds)
    pixels = run.read(read_table(run.data))
    each = []
    for number, model in enumerate(run.models, start=1):
        rows = read_csv(folds / f"fold_{number}" / "predictions_val.csv")
        logits = np.array([[float(row[f"logit_{name}"]) for name in run.classes] for row in rows], np.float32)
        found = fit_calibration([run.classes.index(row["label"]) for row in rows], logits)
        each.append(np.asarray(model(pixels, training=False)) / found.temperature + found.offset)
    assert len(each) == len(run.calibrations) == 2
    np.testing.assert_allclose(run.logits(pixels), np.mean(each, axis=0), atol=1e-4)


def test_folds_of_runs_without_calibration_are_averaged_as_they_are(folds, tmp_path):
    shutil.copytree(folds, tmp_path / "run")
    summary = read_json(folds / "summary.json")
    write_json(tmp_path / "run" / "summary.json", {k: v for k, v in summary.items() if k != "fold_calibration"})
    run = load_models(tmp_path / "run")
    pixels = run.read(read_table(run.data))
    each = [np.asarray(model(pixels, training=False)) for model in run.models]
    np.testing.assert_allclose(run.logits(pixels), np.mean(each, axis=0), atol=1e-5)


def test_model_of_a_fold_reproduces_its_test_predictions(folds):
    run = load_models(folds)
    table = read_table(run.data)
    with open(folds / "fold_1" / "predictions_test.csv", newline="") as file:
        stored = {row["path"]: float(row[f"logit_{run.classes[1]}"]) for row in csv.DictReader(file)}
    rows = [row for row, path in enumerate(table.paths) if path in stored]
    logits = np.asarray(run.models[0](run.read(table)[rows], training=False))[:, 1]
    np.testing.assert_allclose(logits, [stored[table.paths[row]] for row in rows], atol=1e-5)


@pytest.fixture(scope="module")
def viewed(tiny_fit, tmp_path_factory):
    folder = tmp_path_factory.mktemp("views") / "run"
    assert tiny_fit(folder, "--epochs", "1", "--unfreeze", "top1", "--tta", "views:3") == 0
    return folder


@pytest.mark.parametrize("split", ["val", "test"])
def test_views_of_a_run_reproduce_its_predictions(viewed, split):
    run = load_models(viewed)
    table = read_table(run.data)
    stored = load_run(viewed).predictions(split).set_index("path")
    rows = [row for row, path in enumerate(table.paths) if path in stored.index][::-1]
    passed = []
    logits = run.fold_logits(run.read(table)[rows], passed.append)[0]
    expected = stored.loc[[table.paths[row] for row in rows], [f"logit_{name}" for name in run.classes]]
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    assert len(run.views) == run.passes == 4 and sum(passed) == 4 * len(rows)
    plain = replace(run, views=(UNCHANGED,)).logits(run.read(table)[rows])
    assert np.abs(plain - logits).max() > 1e-3, "without views the predictions are others"


def test_training_cases_are_predicted_without_views(viewed):
    run = replace(load_models(viewed), views=(UNCHANGED,))
    table = read_table(run.data)
    stored = load_run(viewed).predictions("train").set_index("path")
    rows = [row for row, path in enumerate(table.paths) if path in stored.index]
    expected = stored.loc[[table.paths[row] for row in rows], [f"logit_{name}" for name in run.classes]]
    np.testing.assert_allclose(run.logits(run.read(table)[rows]), expected, atol=1e-5)


def test_unfinished_run_and_missing_model_are_an_error(folds, tmp_path):
    shutil.copytree(folds, tmp_path / "run")
    (tmp_path / "run" / "fold_2" / "model.keras").unlink()
    with pytest.raises(UserError, match=r"fold_2/model\.keras is missing"):
        load_models(tmp_path / "run")
    (tmp_path / "run" / "status.json").write_text('{"state": "running"}')
    with pytest.raises(UserError, match="not finished"):
        load_models(tmp_path / "run")
