"""A run as text for the terminal: its metrics, where its files are, and the layer groups of its model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keras_radtl.reports.baseline_text import baseline_lines
from keras_radtl.reports.text_table import text_table
from keras_radtl.runs.directory import FIGURES, MODEL, REJECTED, RunDirectory
from keras_radtl.runs.files import read_csv
from keras_radtl.runs.notes import metric_notes
from keras_radtl.runs.records import MONITORS


def show_run(run: RunDirectory, splits: Sequence[str] = ("val", "test")) -> str:
    """Return the metrics of a finished run with 95 % intervals, the number of excluded files, and its paths.

    Args:
        run: directory of the run.
        splits: splits whose metrics are shown.
    """
    metrics, summary = run.metrics(), run.summary()
    lines = ["", metrics_table(metrics, splits, _threshold(summary)), *_threshold_notes(summary), ""]
    if "fold_auc" in summary:
        each = summary["fold_auc"]
        if "auc_fold_mean" in metrics["test"]:
            lines += [
                "auc: of the pooled test predictions of all folds; auc_fold_mean: mean of the test AUC of each fold"
            ]
        lines += [f"test AUC by fold: {', '.join('-' if value is None else f'{value:.3f}' for value in each)}"]
    else:
        lines += [f"best epoch {summary['best_epoch']} of {summary['epochs']} by {MONITORS[summary['monitor']]}"]
    lines += baseline_lines(summary)
    if (run / REJECTED).is_file():
        count = len(read_csv(run / REJECTED))
        lines.append(f"excluded: {count} file{'s' * (count != 1)}, see {run / REJECTED} for the reasons")
    model = run.path / "fold_*" / MODEL if "fold_auc" in summary else run / MODEL
    lines += [f"model:    {model}", f"figures:  {run / FIGURES}", f"run:      {run.path}", ""]
    return "\n".join(lines)


def metrics_table(
    metrics: Mapping[str, Mapping[str, dict]], splits: Sequence[str] = ("val", "test"), threshold: str = ""
) -> str:
    """Return metrics as a text table: one row per metric, one column per split, 95 % intervals in brackets.

    The lines below the table are those of `metric_notes`.

    Args:
        metrics: content of `metrics.json`: metrics by split and name.
        splits: columns; a split without metrics is skipped.
        threshold: text of the last row, the threshold with which cases are predicted; "" for none.
    """
    splits = [split for split in splits if split in metrics]
    names = list(dict.fromkeys(name for split in splits for name in metrics[split]))
    header = ["", *(f"{split} (n={max(m['n'] for m in metrics[split].values())})" for split in splits)]
    rows = [[name, *(_metric(metrics[split].get(name)) for split in splits)] for name in names]
    rows += [["threshold", *[threshold] * len(splits)]] if threshold else []
    notes = metric_notes({split: metrics[split] for split in splits})
    return "\n".join([text_table([header, *rows]), *notes])


def _threshold(summary: Mapping) -> str:
    """Return the threshold of the cases of a run as text; with folds the lowest and the highest."""
    if "threshold" not in summary:
        return ""
    each = summary.get("fold_threshold", [summary["threshold"]["value"]])
    low, high = f"{min(each):.3f}", f"{max(each):.3f}"
    return low if low == high else f"{low} to {high}, by fold"


def _threshold_notes(summary: Mapping) -> list[str]:
    """Return how a threshold was chosen; nothing for a number that the configuration gives."""
    threshold = summary.get("threshold", {"rule": "0.5"})
    if threshold["rule"][0].isdigit():
        return []
    rates = f"sensitivity {threshold['sensitivity']:.3f}, specificity {threshold['specificity']:.3f}"
    text = f"threshold: {threshold['rule']} on validation cases"
    if "fold_auc" in summary:
        return [f"{text} of each fold; for new images {threshold['value']:.3f}, on those of all folds ({rates})"]
    return [f"{text} ({rates} there)"]


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
