"""A run as a Python object: tables, predictions and evaluation agree with the files and commands of the run."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from keras_radtl.config import UserError
from keras_radtl.models.probabilities import to_probabilities
from keras_radtl.runs.files import read_csv, read_json
from keras_radtl.runs.new_images import list_images, predict_images
from keras_radtl.runs.run import Run, load_run

CLASSES = ("benign mass", "malignant [sic] (2)")


@pytest.fixture(scope="module")
def run(single):
    return load_run(single)


@pytest.fixture(scope="module")
def run_of_folds(folded):
    return load_run(folded)


def predict_command(run, images, file) -> list[dict]:
    """Return the rows that the command `predict` writes."""
    from keras_radtl.predict import main

    assert main([str(run), str(images), "--output", str(file)]) == 0
    return read_csv(file)


def test_attributes(run, run_of_folds, single):
    assert (run.path, run.classes, run.multilabel, run.folds) == (single, CLASSES, False, 0)
    assert run.config.model.backbone == "tiny" and run.summary["best_epoch"] in (1, 2)
    assert run_of_folds.folds == 2 and len(run_of_folds.models) == 2 and len(run.models) == 1


def test_threshold_is_that_of_the_summary(run, run_of_folds):
    assert run.threshold == run.summary["threshold"] and run.threshold["rule"] == "0.5"
    val = run.predictions("val")
    sensitivity = (val["predicted"] == CLASSES[1])[val["label"] == CLASSES[1]].mean()
    assert run.threshold["sensitivity"] == sensitivity == run.metrics["val"].loc["sensitivity", "value"]
    assert run_of_folds.threshold["value"] == 0.5 and "auc_fold_mean" in run_of_folds.metrics["test"].index


def test_metrics_are_tables_of_metrics_json(run, run_of_folds, single):
    assert list(run.metrics) == ["train", "val", "test"] and list(run_of_folds.metrics) == ["test"]
    for split, values in read_json(single / "metrics.json").items():
        frame = run.metrics[split]
        assert frame.index.name == "metric" and list(frame.index) == list(values)
        assert list(frame.columns) == ["value", "ci_low", "ci_high", "n", "method"]
        assert frame.loc["auc", "value"] == values["auc"]["value"] and frame.loc["auc", "n"] == values["auc"]["n"]


def test_history_has_a_row_per_epoch_and_fold(run, run_of_folds):
    assert run.history["epoch"].tolist() == [1, 2] and {"phase", "loss", "val_auc"} <= set(run.history.columns)
    assert list(run_of_folds.history.columns)[0] == "fold" and run_of_folds.history["fold"].tolist() == [1, 2]


def test_a_fold_is_opened_with_the_configuration_of_its_run(run_of_folds, folded, pictures, tmp_path, capsys):
    from keras_radtl.evaluate import main as evaluate

    fold = load_run(folded / "fold_2")
    assert fold.config == run_of_folds.config and fold.folds == 0 and len(fold.models) == 1
    assert fold.metrics["test"].loc["auc", "value"] == run_of_folds.summary["fold_auc"][1]
    images = pictures / CLASSES[0]
    written = predict_command(folded / "fold_2", images, tmp_path / "fold.csv")
    found = predict_images(
        replace(run_of_folds.trained, models=run_of_folds.models[1:], calibrations=()), list_images(images)
    )
    np.testing.assert_allclose(
        [float(row[f"prob_{CLASSES[1]}"]) for row in written], found.probabilities[:, 1], atol=1e-6
    )
    assert evaluate([str(folded / "fold_2")]) == 0 and "fold_2" in capsys.readouterr().out


def test_a_fold_that_does_not_exist_is_no_run(folded):
    with pytest.raises(UserError, match="fold_9 is not a run directory: it has no config.json"):
        load_run(folded / "fold_9")


def test_predict_agrees_with_the_command(run, single, pictures, tmp_path):
    images = pictures / CLASSES[0]
    found, written = run.predict(images), predict_command(single, images, tmp_path / "a.csv")
    assert list(found.columns) == ["path", *(f"prob_{name}" for name in CLASSES), "predicted"]
    for name in ("path", "predicted"):
        assert found[name].tolist() == [row[name] for row in written]
    for name in CLASSES:
        np.testing.assert_allclose(found[f"prob_{name}"], [float(row[f"prob_{name}"]) for row in written], rtol=1e-8)


def test_predict_with_folds_has_the_standard_deviation(run_of_folds, folded, pictures, tmp_path):
    files = sorted(pictures.rglob("*.png"))[:5]
    found = run_of_folds.predict(files)
    columns = ["path", *(f"prob_{name}" for name in CLASSES), "predicted", *(f"sd_{name}" for name in CLASSES)]
    assert list(found.columns) == columns and found["path"].tolist() == list(map(str, files))
    written = predict_command(folded, files[0], tmp_path / "a.csv")
    np.testing.assert_allclose(found["prob_benign mass"][:1], float(written[0]["prob_benign mass"]), rtol=1e-6)
    for name in CLASSES:
        assert float(written[0][f"sd_{name}"]) == pytest.approx(found[f"sd_{name}"][0], rel=1e-5)
    logits = predict_images(run_of_folds.trained, list_images(files)).logits
    np.testing.assert_allclose(found[f"prob_{CLASSES[1]}"], to_probabilities(logits, False)[:, 1])
    assert (found[f"sd_{CLASSES[0]}"] > 0).all()
    np.testing.assert_allclose(found[f"sd_{CLASSES[0]}"], found[f"sd_{CLASSES[1]}"], rtol=1e-6)


def test_predictions_are_those_of_the_file(run, single):
    found = run.predictions("val")
    written = read_csv(single / "predictions_val.csv")
    assert found["case"].tolist() == [row["case"] for row in written]
    assert found[f"logit_{CLASSES[0]}"].dtype == float
    with pytest.raises(UserError, match="`split` must be one of train, val, test. Received: split='holdout'"):
        run.predictions("holdout")


def test_predictions_of_folds_are_those_of_the_test_cases(run_of_folds):
    assert len(run_of_folds.predictions()) == 60
    with pytest.raises(UserError, match="`split` must be one of test. Received: split='val'"):
        run_of_folds.predictions("val")


def test_evaluate_on_the_training_data_gives_the_metrics_of_all_cases(run, pictures):
    evaluation = run.evaluate(pictures)
    assert list(evaluation.metrics.columns) == ["value", "ci_low", "ci_high", "n", "method"]
    assert evaluation.metrics.loc["auc", "n"] == len(evaluation.cases) == 60
    every = pd.concat([run.predictions(split) for split in ("train", "val", "test")])
    accuracy = (every["label"] == every["predicted"]).mean()
    assert evaluation.metrics.loc["accuracy", "value"] == pytest.approx(accuracy)
    assert "<table" in evaluation._repr_html_()


def test_evaluate_accepts_only_data_arguments(run, pictures):
    with pytest.raises(UserError, match="takes only keys of the section data. Received: training"):
        run.evaluate(pictures, epochs=3)
    with pytest.raises(UserError, match="Unknown argument 'colour'"):
        run.evaluate(pictures, colour="red")


def test_repr_and_html(run, run_of_folds):
    auc = run.metrics["test"].loc["auc", "value"]
    assert repr(run) == f"Run({str(run.path)!r}, tiny, {CLASSES[0]} / {CLASSES[1]}, test AUC {auc:.3f})"
    html = run._repr_html_()
    assert html.count("<table") == 3 and "<h4>val</h4>" in html
    assert run_of_folds._repr_html_().count("<table") == 1


def test_unfinished_run_and_other_folders_are_an_error(single, tmp_path):
    shutil.copytree(single, tmp_path / "run")
    (tmp_path / "run" / "status.json").write_text('{"state": "running"}')
    with pytest.raises(UserError, match="is not finished"):
        load_run(tmp_path / "run")
    with pytest.raises(UserError, match="is not a run directory"):
        Run(tmp_path)
