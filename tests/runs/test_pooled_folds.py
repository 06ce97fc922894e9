"""Pooled folds: predictions in table order with the threshold of each fold, both AUCs, and what `predict` uses."""

from __future__ import annotations

import numpy as np
import pytest

from keras_radtl.data.table import CaseTable
from keras_radtl.metrics.logit_calibration import calibrate_logits, fit_calibration
from keras_radtl.metrics.threshold_rules import choose_threshold
from keras_radtl.runs.decision import decide, fold_calibrations
from keras_radtl.runs.directory import RunDirectory
from keras_radtl.runs.files import read_csv, read_json, write_json
from keras_radtl.runs.pooled_folds import pool_folds
from keras_radtl.runs.results import Predictions, write_results

COUNT = 61
TARGETS = np.append(np.arange(COUNT - 1) % 2, -1).astype(np.int32)  # the last case has no label
CASES = tuple(f"case {i:02d}" for i in range(COUNT))
TABLE = CaseTable("t", None, CASES, CASES, CASES, ("benign", "malignant"), TARGETS)
TESTED = [np.arange(COUNT)[np.arange(COUNT) // 2 % 3 == fold] for fold in range(3)]  # shuffled by `pooled`
SUMMARY = {
    "classes": ["benign", "malignant"], "multilabel": False, "image_shape": [8, 8, 1], "parameters": 7,
    "monitor": "val_auc", "precision": "float32", "jit_compile": False, "epochs": 2, "best_epoch": 1, "seconds": 1.5,
}  # fmt: skip


def fold_logits(fold: int) -> np.ndarray:
    """Return the logits of all cases by a model with its own offset and scale."""
    score = np.random.default_rng(fold).normal(1.2 * TARGETS, 1.0)
    return np.column_stack([np.zeros(COUNT), (1 + fold) * score + 2 * fold]).astype(np.float32)


@pytest.fixture
def pooled(tmp_path):
    """Return a function from the rule of the threshold to the run directory and the result of `pool_folds`."""

    def make(rule=0.5):
        run = RunDirectory(tmp_path)
        for fold in range(3):
            logits, test, val = fold_logits(fold), TESTED[fold][::-1], TESTED[(fold + 1) % 3]
            parts = {name: Predictions(rows, logits[rows]) for name, rows in (("val", val), ("test", test))}
            parts, learned = decide(rule, TABLE, parts)
            write_results(run.fold(fold + 1), TABLE, parts, 0)
            write_json(run.fold(fold + 1) / "summary.json", SUMMARY | {"best_val_auc": fold / 4} | learned)
        return run, *pool_folds(run, [run.fold(k) for k in (1, 2, 3)], TABLE, 0, rule)

    return make


def test_predictions_of_all_folds_are_in_table_order_with_their_logits(pooled):
    run, predictions, summary = pooled()
    expected = np.choose((np.arange(COUNT) // 2 % 3)[:, None], [fold_logits(fold) for fold in range(3)])
    assert np.array_equal(predictions.logits, expected) and predictions.threshold is None
    assert [row["case"] for row in read_csv(run / "predictions_test.csv")] == list(CASES)
    assert summary["fold_val_auc"] == [0.0, 0.25, 0.5] and summary["seconds"] == 4.5
    assert "fold_threshold" not in summary and summary["threshold"]["rule"] == "0.5"


def test_both_aucs_are_given(pooled):
    run, _, summary = pooled()
    test = read_json(run / "metrics.json")["test"]
    assert list(test)[:2] == ["auc", "auc_fold_mean"] and test["auc_fold_mean"]["n"] == COUNT - 1
    assert test["auc_fold_mean"]["value"] == pytest.approx(np.mean(summary["fold_auc"]))
    assert test["auc"]["value"] < test["auc_fold_mean"]["value"] - 0.05, "offsets between folds lower the pooled AUC"
    assert "mean of 3 folds" in test["auc_fold_mean"]["method"]


def test_each_case_is_predicted_with_the_threshold_of_its_fold(pooled):
    run, predictions, summary = pooled("youden")
    assert len(set(summary["fold_threshold"])) == 3
    for fold, threshold in enumerate(summary["fold_threshold"]):
        assert threshold == run.fold(fold + 1).summary()["threshold"]["value"]
    rows = read_csv(run / "predictions_test.csv")
    threshold = np.array(summary["fold_threshold"])[np.arange(COUNT) // 2 % 3]
    called = np.array([float(row["prob_malignant"]) for row in rows]) >= threshold
    assert [row["predicted"] == "malignant" for row in rows] == called.tolist()
    metrics = read_json(run / "metrics.json")["test"]
    assert metrics["sensitivity"]["value"] == np.mean(called[TARGETS == 1])
    assert metrics["specificity"]["value"] == np.mean(~called[TARGETS == 0])
    assert np.array_equal(predictions.threshold, threshold)


def test_threshold_for_new_images_is_chosen_on_calibrated_validation_cases_of_all_folds(pooled):
    _, _, summary = pooled("sensitivity:0.9")
    targets, scores = [], []
    for fold, found in enumerate(fold_calibrations(summary)):
        val = [row for row in TESTED[(fold + 1) % 3] if TARGETS[row] >= 0]
        assert found == fit_calibration(TARGETS[val], fold_logits(fold)[val])
        moved = calibrate_logits(fold_logits(fold)[val], found)
        targets, scores = [*targets, *TARGETS[val]], [*scores, *(1 / (1 + np.exp(moved[:, 0] - moved[:, 1])))]
    point = choose_threshold("sensitivity:0.9", targets, scores)
    assert summary["threshold"]["value"] == pytest.approx(point.threshold)
    assert summary["threshold"]["sensitivity"] == point.sensitivity.value >= 0.9
