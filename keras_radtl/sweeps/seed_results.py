"""Test predictions and metrics of a run, as a comparison of strategies reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from keras_radtl.metrics.macro import macro_metrics
from keras_radtl.runs.directory import METRICS, SUMMARY, RunDirectory, predictions_name
from keras_radtl.runs.files import read_csv, read_json

_MULTILABEL = {
    "map": "average_precision",
    "macro_accuracy": "accuracy",
    "macro_auroc": "auc",
    "kappa": "kappa",
    "macro_f1": "f1",
}


@dataclass(frozen=True, eq=False)
class Seed:
    """One finished run.

    Attributes:
        seed: Seed of the run.
        metrics: Test metrics by name, as in `MACRO_METRICS`.
        cases: Sorted ids of the labeled test cases; empty for a multi-label task, like the arrays below.
        groups: Group of each case.
        targets: Class of each case, int array of shape (n,).
        probabilities: float64 array of shape (n, n_classes).
    """

    seed: int
    metrics: Mapping[str, float | None]
    cases: tuple[str, ...]
    groups: tuple[str, ...]
    targets: np.ndarray
    probabilities: np.ndarray


def read_seed(run: RunDirectory, seed: int) -> Seed:
    """Read the test predictions of a finished run and compute their metrics.

    For a multi-label task, whose predictions file lacks unknown labels, the metrics are those that the run stored.

    Args:
        run: Directory of the run.
        seed: Seed of the run.
    """
    summary = read_json(run / SUMMARY)
    if summary["multilabel"]:
        stored = read_json(run / METRICS)["test"]
        metrics = {name: stored[key]["value"] for name, key in _MULTILABEL.items()}
        return Seed(seed, metrics, (), (), np.zeros(0, int), np.zeros((0, len(summary["classes"]))))
    rows = sorted(
        (row for row in read_csv(run / predictions_name("test")) if row["label"]), key=lambda row: row["case"]
    )
    classes = summary["classes"]
    targets = np.array([classes.index(row["label"]) for row in rows])
    probabilities = np.array([[float(row[f"prob_{name}"]) for name in classes] for row in rows])
    cases, groups = (tuple(row[key] for row in rows) for key in ("case", "group"))
    return Seed(seed, macro_metrics(targets, probabilities), cases, groups, targets, probabilities)
