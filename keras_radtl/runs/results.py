"""Predictions and metrics as the files of a run, and as the small table a command ends with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_radtl.config import UserError
from keras_radtl.data.table import CaseTable
from keras_radtl.metrics.classification import classification_metrics
from keras_radtl.metrics.multilabel import multilabel_metrics
from keras_radtl.models.probabilities import to_probabilities
from keras_radtl.runs.directory import HISTORY, LEARNING_RATES, METRICS, SUMMARY, RunDirectory, predictions_name
from keras_radtl.runs.files import read_csv, read_json, write_csv, write_json


@dataclass(frozen=True)
class Predictions:
    """Logits of cases of one split.

    Attributes:
        indices: int (n,), rows of the case table.
        logits: float32 (n, classes).
    """

    indices: np.ndarray
    logits: np.ndarray


def label_text(table: CaseTable, target) -> str:
    """Return a target as text: the class, the labels joined by `;`, or nothing when unknown."""
    if table.multilabel:
        return ";".join(name for name, value in zip(table.classes, target, strict=True) if value == 1)
    return table.classes[target] if target >= 0 else ""


def prediction_columns(classes) -> list[str]:
    """Return the columns of a predictions file."""
    logits, probabilities = [f"logit_{name}" for name in classes], [f"prob_{name}" for name in classes]
    return ["case", "path", "group", "split", "label", "predicted", *logits, *probabilities]


def prediction_rows(table: CaseTable, split: str, predictions: Predictions) -> list[list]:
    """Return the rows of a predictions file, in the order of `predictions`."""
    probabilities = to_probabilities(predictions.logits, table.multilabel)
    rows = []
    for index, logits, probability in zip(predictions.indices, predictions.logits, probabilities, strict=True):
        predicted = label_text(
            table, (probability > 0.5).astype(int) if table.multilabel else int(probability.argmax())
        )
        label = label_text(table, table.targets[index])
        rows.append(
            [
                table.cases[index],
                table.paths[index],
                table.groups[index],
                split,
                label,
                predicted,
                *logits,
                *probability,
            ]
        )
    return rows


def split_metrics(table: CaseTable, predictions: Predictions, seed: int) -> dict[str, dict]:
    """Return every metric of the cases with a known label as plain dicts."""
    indices = predictions.indices
    known = np.arange(len(indices)) if table.multilabel else np.flatnonzero(table.targets[indices] >= 0)
    probabilities = to_probabilities(predictions.logits[known], table.multilabel)
    groups = np.asarray(table.groups)[indices[known]]
    judge = multilabel_metrics if table.multilabel else classification_metrics
    metrics = judge(table.targets[indices[known]], probabilities, table.classes, groups=groups, seed=seed)
    return {name: metric._asdict() for name, metric in metrics.items()}


def write_results(run: RunDirectory, table: CaseTable, parts: dict[str, Predictions], seed: int) -> dict:
    """Write the predictions of each split and `metrics.json`; returns the metrics."""
    metrics = {}
    for split, predictions in parts.items():
        write_csv(
            run / predictions_name(split), prediction_columns(table.classes), prediction_rows(table, split, predictions)
        )
        metrics[split] = split_metrics(table, predictions, seed)
    write_json(run / METRICS, metrics)
    return metrics


def read_logits(run: RunDirectory, split: str, table: CaseTable) -> Predictions:
    """Read the predictions of a split back from its file.

    Raises:
        UserError: when a case of the file is not in the table.
    """
    rows = read_csv(run / predictions_name(split))
    position = {case: i for i, case in enumerate(table.cases)}
    missing = [row["case"] for row in rows if row["case"] not in position]
    if missing:
        raise UserError(f"{run / predictions_name(split)}: case {missing[0]!r} is not among the data")
    logits = np.array([[float(row[f"logit_{name}"]) for name in table.classes] for row in rows], np.float32)
    return Predictions(np.array([position[row["case"]] for row in rows]), logits.reshape(len(rows), len(table.classes)))


def metrics_table(metrics: dict[str, dict[str, dict]], splits=("val", "test")) -> str:
    """Return metrics as a plain-text table: one row a metric, one column a split, 95 % intervals in brackets."""
    splits = [split for split in splits if split in metrics]
    names = list(dict.fromkeys(name for split in splits for name in metrics[split]))
    head = ["", *(f"{split} (n={max(m['n'] for m in metrics[split].values())})" for split in splits)]
    rows = [head] + [[name, *(_cell(metrics[split].get(name)) for split in splits)] for name in names]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _cell(metric: dict | None) -> str:
    if metric is None or metric["value"] is None:
        return "-"
    if metric["ci_low"] is None:
        return f"{metric['value']:.3f}"
    return f"{metric['value']:.3f} [{metric['ci_low']:.3f}, {metric['ci_high']:.3f}]"


def pool_folds(run: RunDirectory, folds: list[RunDirectory], table: CaseTable, seed: int) -> tuple[Predictions, dict]:
    """Join the test predictions of all folds, each case predicted by the model that never saw it, and write them.

    Returns:
        The pooled predictions in table order, and the summary of the run with the test AUC of each fold.
    """
    each = [read_logits(fold, "test", table) for fold in folds]
    indices, logits = np.concatenate([p.indices for p in each]), np.concatenate([p.logits for p in each])
    order = np.argsort(indices, kind="stable")
    pooled = Predictions(indices[order], logits[order])
    write_results(run, table, {"test": pooled}, seed)
    summaries = [read_json(fold / SUMMARY) for fold in folds]
    summary = {
        key: summaries[0][key]
        for key in ("classes", "multilabel", "image_shape", "parameters", "monitor", "precision", "jit_compile")
    }
    summary["fold_auc"] = [read_json(fold / METRICS)["test"]["auc"]["value"] for fold in folds]
    summary["fold_val_auc"] = [s["best_val_auc"] for s in summaries]
    summary["seconds"] = round(sum(s["seconds"] for s in summaries), 1)
    return pooled, summary


def write_history(run: RunDirectory, history: list[dict]) -> None:
    """Write `history.csv`, a row an epoch, and `learning_rates.csv` when rates differ by layer."""
    columns = [name for name in dict.fromkeys(name for row in history for name in row) if name != "rates"]
    write_csv(run / HISTORY, columns, [[row.get(name) for name in columns] for row in history])
    if any("rates" in row for row in history):
        rates = [[row["epoch"], layer, factor] for row in history for layer, factor in row.get("rates", {}).items()]
        write_csv(run / LEARNING_RATES, ["epoch", "layer", "factor"], rates)
