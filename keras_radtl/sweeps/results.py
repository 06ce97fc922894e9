"""The results of a sweep as one table: one row per run with its factors, metrics and status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from keras_radtl.runs.directory import METRICS, SUMMARY, RunDirectory
from keras_radtl.runs.files import read_json, write_csv
from keras_radtl.sweeps.folder import SweepFolder
from keras_radtl.sweeps.run_list import RunSpec

TABLE_METRICS = ("auc", "accuracy", "f1", "log_loss")
COLUMNS = (
    *(f"{split}_{'loss' if name == 'log_loss' else name}" for split in ("val", "test") for name in TABLE_METRICS),
    "fold_auc_mean", "fold_auc_sd", "best_epoch", "epochs", "parameters", "seconds", "diverged", "status",
    "error",
)  # fmt: skip
FINISHED, FAILED, SKIPPED, OPEN = "finished", "failed", "skipped", "open"
NO_LEVEL = "none"  # cell of a factor that does not apply to a run; an empty cell would exclude it from analyses


class Results:
    """The table of a sweep, in memory and on disk.

    Args:
        folder: Folder of the sweep.
        runs: All runs, in the order of the rows.
        skipped: Reason of each skipped run, by name.
    """

    def __init__(self, folder: SweepFolder, runs: Sequence[RunSpec], skipped: Mapping[str, str]):
        self.folder, self.runs = folder, runs
        self.rows = {run.name: self._row(run, skipped.get(run.name)) for run in runs}

    def _row(self, run: RunSpec, reason: str | None = None) -> dict:
        directory, failure = self.folder.run(run.name), self.folder.failure(run.name)
        if reason is not None:
            found = {"status": SKIPPED, "error": reason}
        elif directory.finished:
            found = {**_metrics(directory), "status": FINISHED}
        elif failure is not None:
            found = {**failure, "status": FAILED}
        else:
            found = {"status": OPEN}
        factors = {name: NO_LEVEL if level is None else level for name, level in run.factors.items()}
        return {"name": run.name, **factors, **found}

    def update(self, name: str) -> dict:
        """Read one run again, write the table and return its row."""
        self.rows[name] = self._row(next(run for run in self.runs if run.name == name))
        self.write()
        return self.rows[name]

    @property
    def factors(self) -> list[str]:
        """The names of the factors."""
        return list(dict.fromkeys(factor for run in self.runs for factor in run.factors))

    @property
    def columns(self) -> list[str]:
        """The columns of the table: name, factors, metrics and status."""
        factors = self.factors
        return ["name", *factors, *(name for name in COLUMNS if name not in factors)]

    def write(self) -> None:
        """Write `results.csv`."""
        columns = self.columns
        write_csv(self.folder.results, columns, [[row.get(name) for name in columns] for row in self.rows.values()])

    def with_status(self, status: str) -> list[dict]:
        """Return the rows that have a status."""
        return [row for row in self.rows.values() if row["status"] == status]


def _metrics(directory: RunDirectory) -> dict:
    metrics, summary = read_json(directory / METRICS), read_json(directory / SUMMARY)
    found = {
        f"{split}_{'loss' if name == 'log_loss' else name}": metrics[split][name]["value"]
        for split in ("val", "test")
        for name in TABLE_METRICS
        if split in metrics
    }
    found |= {
        name: summary[name] for name in ("best_epoch", "epochs", "parameters", "seconds", "diverged") if name in summary
    }
    folds = summary.get("fold_auc")
    if folds and None not in folds:
        found |= {"fold_auc_mean": float(np.mean(folds)), "fold_auc_sd": float(np.std(folds, ddof=1))}
    if folds:
        found["val_auc"] = float(np.mean(summary["fold_val_auc"]))
    return found
