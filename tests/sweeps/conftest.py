"""Sweeps without training: runs whose result files are written directly."""

from __future__ import annotations

import numpy as np
import pytest

from keras_radtl.config import Config
from keras_radtl.runs.files import write_csv, write_json
from keras_radtl.sweeps.folder import SweepFolder
from keras_radtl.sweeps.results import Results
from keras_radtl.sweeps.run_list import RunSpec

CASES = 30


@pytest.fixture
def finished_sweep(tmp_path):
    """Return a function (levels of each run, AUC of each run) -> `Results` of a sweep whose runs are finished."""
    folder = SweepFolder(tmp_path / "sweep")

    def make(levels: list[dict], aucs: list[float] | None = None) -> Results:
        runs = [RunSpec(f"r{i}", Config(), factors) for i, factors in enumerate(levels)]
        targets = np.arange(CASES) % 2
        for i, run in enumerate(runs):
            auc = 0.7 + 0.2 * np.random.default_rng(i).random() if aucs is None else aucs[i]
            metrics = {name: {"value": float(auc)} for name in ("auc", "accuracy", "f1", "log_loss")}
            directory = folder.run(run.name)
            write_json(directory / "metrics.json", {"val": metrics, "test": metrics})
            write_json(directory / "summary.json", {"classes": ["a", "b"], "multilabel": False, "seconds": 1.0})
            positive = 1 / (1 + np.exp(-np.random.default_rng(i).normal(size=CASES) - 2 * auc * targets))
            rows = [[f"c{n}", f"g{n}", "ab"[targets[n]], 1 - p, p] for n, p in enumerate(positive)]
            write_csv(directory / "predictions_test.csv", ["case", "group", "label", "prob_a", "prob_b"], rows)
            directory.set_status("finished")
        results = Results(folder, runs, {})
        results.write()
        return results

    return make
