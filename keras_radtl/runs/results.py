"""Predictions, metrics and training history: the result files of a run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_radtl.config import UserError
from keras_radtl.data.table import CaseTable
from keras_radtl.metrics.classification import classification_metrics
from keras_radtl.metrics.multilabel import multilabel_metrics
from keras_radtl.models.probabilities import predicted_classes, to_probabilities
from keras_radtl.runs.directory import HISTORY, LEARNING_RATES, METRICS, RunDirectory, predictions_name
from keras_radtl.runs.divergence import marked
from keras_radtl.runs.files import read_csv, write_csv, write_json
from keras_radtl.runs.inference import require_finite


@dataclass(frozen=True)
class Predictions:
    """Logits of the cases of one split.

    Attributes:
        indices: int array of shape (n,), row numbers of the case table.
        logits: float32 array of shape (n, n_classes).
        threshold: Probability from which the second of two classes is predicted, a number or an array of shape (n,);
            None: the class of highest probability.
    """

    indices: np.ndarray
    logits: np.ndarray
    threshold: np.ndarray | float | None = None

    def predicted(self, multilabel: bool) -> np.ndarray:
        """Return the predicted classes, or 0 and 1 for each label of a multi-label task; see `predicted_classes`."""
        return predicted_classes(to_probabilities(self.logits, multilabel), multilabel, self.threshold)


def prediction_columns(classes) -> list[str]:
    """Return the names of the columns of a predictions file."""
    logits, probabilities = [f"logit_{name}" for name in classes], [f"prob_{name}" for name in classes]
    return ["case", "path", "group", "split", "label", "predicted", *logits, *probabilities]


def prediction_rows(table: CaseTable, split: str, predictions: Predictions) -> list[list]:
    """Return the rows of a predictions file, in the order of `predictions`."""
    probabilities = to_probabilities(predictions.logits, table.multilabel)
    predicted = predictions.predicted(table.multilabel)
    rows = []
    for index, logits, probability, called in zip(
        predictions.indices, predictions.logits, probabilities, predicted, strict=True
    ):
        names = [table.target_text(table.targets[index]), table.target_text(called)]
        case = [table.cases[index], table.paths[index], table.groups[index], split]
        rows.append([*case, *names, *logits, *probability])
    return rows


def split_metrics(table: CaseTable, predictions: Predictions, seed: int) -> dict[str, dict]:
    """Return the metrics of the cases with a known label.

    Args:
        table: The cases.
        predictions: Predictions of one split.
        seed: Seed of the bootstrap intervals.
    Returns:
        A dict by metric name, with the fields of each metric: value, interval, number of cases and method.
    Raises:
        UserError: If a logit is not finite.
    """
    indices = predictions.indices
    require_finite(predictions.logits, [table.cases[index] for index in indices])
    known = np.arange(len(indices)) if table.multilabel else np.flatnonzero(table.targets[indices] >= 0)
    probabilities = to_probabilities(predictions.logits[known], table.multilabel)
    groups = np.asarray(table.groups)[indices[known]]
    common = (table.targets[indices[known]], probabilities, table.classes, groups, seed)
    if table.multilabel:
        metrics = multilabel_metrics(*common)
    else:
        threshold = predictions.threshold
        threshold = threshold[known] if isinstance(threshold, np.ndarray) else threshold
        metrics = classification_metrics(*common, threshold=threshold)
    return {name: metric._asdict() for name, metric in metrics.items()}


def write_results(
    run: RunDirectory, table: CaseTable, parts: dict[str, Predictions], seed: int, diverged: bool = False
) -> dict:
    """Write the predictions of each split and `metrics.json`.

    Args:
        run: The directory of the files.
        table: The cases.
        parts: Predictions by split.
        seed: Seed of the bootstrap intervals.
        diverged: Whether the training of the model has diverged; `method` of each metric then says so.
    Returns:
        The content of `metrics.json`: metrics by split and name.
    """
    metrics = {split: marked(split_metrics(table, part, seed), diverged) for split, part in parts.items()}
    write_predictions(run, table, parts)
    write_json(run / METRICS, metrics)
    return metrics


def write_predictions(run: RunDirectory, table: CaseTable, parts: dict[str, Predictions]) -> None:
    """Write the predictions file of each split.

    Args:
        run: The directory of the files.
        table: The cases.
        parts: Predictions by split.
    """
    columns = prediction_columns(table.classes)
    for split, predictions in parts.items():
        write_csv(run / predictions_name(split), columns, prediction_rows(table, split, predictions))


def read_logits(run: RunDirectory, split: str, table: CaseTable) -> Predictions:
    """Read the logits of a split from its predictions file.

    Raises:
        UserError: If a case of the file is not in the table.
    """
    file = run / predictions_name(split)
    rows = read_csv(file)
    position = {case: i for i, case in enumerate(table.cases)}
    try:
        missing = [row["case"] for row in rows if row["case"] not in position]
        if missing:
            raise UserError(f"{file}: case {missing[0]!r} is not in the data")
        logits = np.array([[float(row[f"logit_{name}"]) for name in table.classes] for row in rows], np.float32)
    except KeyError as error:
        raise UserError(f"{file} is damaged: it has no column {error}; `overwrite=True` starts over") from None
    except ValueError as error:
        raise UserError(f"{file} is damaged: {error}; `overwrite=True` starts over") from None
    return Predictions(np.array([position[row["case"]] for row in rows]), logits.reshape(len(rows), len(table.classes)))


def write_history(run: RunDirectory, history: list[dict]) -> None:
    """Write `history.csv` with one row per epoch, and `learning_rates.csv` if learning rates differ between layers."""
    columns = [name for name in dict.fromkeys(name for row in history for name in row) if name != "rates"]
    write_csv(run / HISTORY, columns, [[row.get(name) for name in columns] for row in history])
    if any("rates" in row for row in history):
        rates = [[row["epoch"], layer, factor] for row in history for layer, factor in row.get("rates", {}).items()]
        write_csv(run / LEARNING_RATES, ["epoch", "layer", "factor"], rates)
