"""A run as text for the terminal: its metrics, where its files are, and the layer groups of its model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keras_radtl.reports.text_table import text_table
from keras_radtl.runs.directory import FIGURES, MODEL, REJECTED, RunDirectory
from keras_radtl.runs.files import read_csv
from keras_radtl.runs.records import MONITORS

FEW_CASES = 10  # a split with fewer cases, in total or of a class, gets a warning


def show_run(run: RunDirectory, splits: Sequence[str] = ("val", "test")) -> str:
    """Return the metrics of a finished run with 95 % intervals, the number of excluded files, and its paths.

    Args:
        run: directory of the run.
        splits: splits whose metrics are shown.
    """
    metrics, summary = run.metrics(), run.summary()
    lines = ["", metrics_table(metrics, splits), ""]
    if "fold_auc" in summary:
        each = summary["fold_auc"]
        lines += [f"test AUC by fold: {', '.join('-' if value is None else f'{value:.3f}' for value in each)}"]
    else:
        lines += [f"best epoch {summary['best_epoch']} of {summary['epochs']} by {MONITORS[summary['monitor']]}"]
    if (run / REJECTED).is_file():
        count = len(read_csv(run / REJECTED))
        lines.append(f"excluded: {count} file{'s' * (count != 1)}, see {run / REJECTED} for the reasons")
    model = run.path / "fold_*" / MODEL if "fold_auc" in summary else run / MODEL
    lines += [f"model:    {model}", f"figures:  {run / FIGURES}", f"run:      {run.path}", ""]
    return "\n".join(lines)


def metrics_table(metrics: Mapping[str, Mapping[str, dict]], splits: Sequence[str] = ("val", "test")) -> str:
    """Return metrics as a text table: one row per metric, one column per split, 95 % intervals in brackets.

    Notes below the table name clustered intervals, splits with few cases, and the reason of each missing interval.

    Args:
        metrics: content of `metrics.json`: metrics by split and name.
        splits: columns; a split without metrics is skipped.
    """
    splits = [split for split in splits if split in metrics]
    names = list(dict.fromkeys(name for split in splits for name in metrics[split]))
    header = ["", *(f"{split} (n={max(m['n'] for m in metrics[split].values())})" for split in splits)]
    rows = [[name, *(_metric(metrics[split].get(name)) for split in splits)] for name in names]
    notes = [note for split in splits for note in _notes(split, metrics[split])]
    return "\n".join([text_table([header, *rows]), *notes])


def _notes(split: str, metrics: Mapping[str, Mapping]) -> list[str]:
    """Return notes on the intervals of a split."""
    notes, total = [], max(metric["n"] for metric in metrics.values())
    if any("clustered" in metric.get("method", "") for metric in metrics.values()):
        notes.append(f"{split}: intervals are clustered, since groups (patients) have several cases")
    fewest = min(metric["n"] for metric in metrics.values())
    if fewest < FEW_CASES:
        of_class = f", {fewest} of one class" if fewest < total else ""
        cases = f"{total} case{'s' * (total != 1)}"
        notes.append(f"WARNING: {split}: {cases}{of_class}; intervals are wide or missing")
    reasons: dict[str, list[str]] = {}
    for name, metric in metrics.items():
        if metric["ci_low"] is None and metric.get("method"):
            reasons.setdefault(metric["method"], []).append(name)
    return notes + [f"{split}, {', '.join(names)}: {reason}" for reason, names in reasons.items()]


def _metric(metric: Mapping | None) -> str:
    if metric is None or metric["value"] is None:
        return "-"
    if metric["ci_low"] is None:
        return f"{metric['value']:.3f}"
    return f"{metric['value']:.3f} [{metric['ci_low']:.3f}, {metric['ci_high']:.3f}]"


def group_text(rows: Sequence[tuple[str, int, int, int]]) -> str:
    """Return the layer groups of a model as a text table with a row of totals.

    Args:
        rows: from `models.groups.group_table`: group, number of layers, parameters, trainable parameters.
    """
    total = ("total", *(sum(column) for column in list(zip(*rows, strict=True))[1:]))
    cells = [(name, *(f"{count:,}" for count in counts)) for name, *counts in (*rows, total)]
    return text_table([("group", "layers", "parameters", "trainable"), *cells], right=(1, 2, 3))
