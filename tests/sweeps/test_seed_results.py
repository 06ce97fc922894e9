"""The results of one seed: test predictions of a run, sorted by case, and stored metrics of multi-label runs."""

from __future__ import annotations

import numpy as np
import pytest

from keras_radtl.metrics.macro import MACRO_METRICS, macro_metrics
from keras_radtl.runs.directory import RunDirectory
from keras_radtl.runs.files import write_csv, write_json
from keras_radtl.sweeps.seed_results import read_seed

ROWS = [("b", "p2", "malignant", 0.1, 0.9), ("a", "p1", "benign", 0.8, 0.2), ("d", "p3", "", 0.5, 0.5),
        ("c", "p2", "malignant", 0.6, 0.4)]  # fmt: skip


def test_predictions_are_sorted_and_unlabeled_cases_are_excluded(tmp_path):
    run = RunDirectory(tmp_path)
    write_json(run / "summary.json", {"classes": ["benign", "malignant"], "multilabel": False})
    write_csv(run / "predictions_test.csv", ["case", "group", "label", "prob_benign", "prob_malignant"], ROWS)
    seed = read_seed(run, 3)
    assert (seed.seed, seed.cases, seed.groups) == (3, ("a", "b", "c"), ("p1", "p2", "p2"))
    assert seed.targets.tolist() == [0, 1, 1]
    assert np.array_equal(seed.probabilities, [[0.8, 0.2], [0.1, 0.9], [0.6, 0.4]])
    assert seed.metrics == macro_metrics(seed.targets, seed.probabilities)


def test_multilabel_runs_have_their_stored_metrics(tmp_path):
    run = RunDirectory(tmp_path)
    stored = {"average_precision": 0.1, "accuracy": 0.2, "auc": 0.3, "kappa": 0.4, "f1": 0.5}
    write_json(run / "summary.json", {"classes": ["x", "y", "z"], "multilabel": True})
    write_json(run / "metrics.json", {"test": {name: {"value": value} for name, value in stored.items()}})
    seed = read_seed(run, 0)
    assert list(seed.metrics) == list(MACRO_METRICS) and list(seed.metrics.values()) == pytest.approx(
        [stored[name] for name in ("average_precision", "accuracy", "auc", "kappa", "f1")]
    )
    assert seed.cases == () and seed.probabilities.shape == (0, 3)
