"""A finished run in a few lines for the terminal."""

from __future__ import annotations

from keras_radtl.runs.directory import FIGURES, METRICS, MODEL, REJECTED, SUMMARY, RunDirectory
from keras_radtl.runs.files import read_csv, read_json
from keras_radtl.runs.results import metrics_table

MONITORS = {"val_auc": "validation AUC", "val_loss": "validation loss"}


def show_run(run: RunDirectory, splits=("val", "test")) -> str:
    """Return the metrics of a run with their 95 % intervals, what was left out, and where things are."""
    metrics, summary = read_json(run / METRICS), read_json(run / SUMMARY)
    lines = ["", metrics_table(metrics, splits), ""]
    if "fold_auc" in summary:
        each = summary["fold_auc"]
        lines += [f"test AUC by fold: {', '.join(f'{value:.3f}' for value in each)}"]
    else:
        lines += [f"best epoch {summary['best_epoch']} of {summary['epochs']} by {MONITORS[summary['monitor']]}"]
    if (run / REJECTED).is_file():
        lines.append(f"left out: {len(read_csv(run / REJECTED))} files, with reasons in {run / REJECTED}")
    model = run.path / "fold_*" / MODEL if "fold_auc" in summary else run / MODEL
    lines += [f"model:    {model}", f"figures:  {run / FIGURES}", f"run:      {run.path}", ""]
    return "\n".join(lines)
