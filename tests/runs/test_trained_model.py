"""Loading the models of a finished run."""

from __future__ import annotations

import csv
import shutil

import numpy as np
import pytest

from keras_radtl.config import UserError
from keras_radtl.data.sources import read_table
from keras_radtl.runs.trained_model import load_models

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")


@pytest.fixture(scope="module")
def folds(tiny_fit, tmp_path_factory):
    folder = tmp_path_factory.mktemp("load") / "run"
    assert tiny_fit(folder, "--epochs", "1", "--folds", "2") == 0
    return folder


def test_logits_of_folds_are_averaged(folds):
    run = load_models(folds)
    pixels = run.read(read_table(run.data))
    each = [np.asarray(model(pixels, training=False)) for model in run.models]
    assert len(each) == 2
    np.testing.assert_allclose(run.logits(pixels), np.mean(each, axis=0), atol=1e-5)


def test_model_of_a_fold_reproduces_its_test_predictions(folds):
    run = load_models(folds)
    table = read_table(run.data)
    with open(folds / "fold_1" / "predictions_test.csv", newline="") as file:
        stored = {row["path"]: float(row[f"logit_{run.classes[1]}"]) for row in csv.DictReader(file)}
    rows = [row for row, path in enumerate(table.paths) if path in stored]
    logits = np.asarray(run.models[0](run.read(table)[rows], training=False))[:, 1]
    np.testing.assert_allclose(logits, [stored[table.paths[row]] for row in rows], atol=1e-5)


def test_unfinished_run_and_missing_model_are_an_error(folds, tmp_path):
    shutil.copytree(folds, tmp_path / "run")
    (tmp_path / "run" / "fold_2" / "model.keras").unlink()
    with pytest.raises(UserError, match=r"fold_2/model\.keras is missing"):
        load_models(tmp_path / "run")
    (tmp_path / "run" / "status.json").write_text('{"state": "running"}')
    with pytest.raises(UserError, match="not finished"):
        load_models(tmp_path / "run")
