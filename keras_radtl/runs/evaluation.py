"""Evaluation of the models of a run on other labelled images."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from keras_radtl.config import DataConfig, UserError
from keras_radtl.data.sources import read_table
from keras_radtl.data.table import CaseTable, Rejected
from keras_radtl.runs.divergence import marked
from keras_radtl.runs.notes import WARNING, metric_notes, notes_html
from keras_radtl.runs.progress import Progress
from keras_radtl.runs.results import Predictions, split_metrics
from keras_radtl.runs.tables import metrics_frame
from keras_radtl.runs.trained_model import TrainedModel

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Predictions for labelled images and their metrics.

    Attributes:
        cases: The case table.
        predictions: Row numbers of the cases and their logits, float32 array of shape (n, n_classes).
        values: The fields `value`, `ci_low`, `ci_high`, `n` and `method` of each metric.
        rejected: Files that were skipped, each with the reason.
    """

    cases: CaseTable
    predictions: Predictions
    values: dict[str, dict]
    rejected: tuple[Rejected, ...] = ()

    @property
    def metrics(self) -> pd.DataFrame:
        """One row per metric: `value`, `ci_low`, `ci_high`, `n`, `method`."""
        return metrics_frame(self.values)

    @property
    def notes(self) -> list[str]:
        """Notes on few cases, clustered and missing intervals, and a training that diverged; see `metric_notes`."""
        return metric_notes({"test": self.values})

    def _repr_html_(self) -> str:
        return self.metrics.to_html() + notes_html(self.notes)


def evaluate_models(trained: TrainedModel, data: DataConfig, seed: int) -> Evaluation:
    """Predict labelled images and compute the metrics.

    Args:
        trained: From `load_models`.
        data: The images and labels.
        seed: Seed of the bootstrap intervals.
    Raises:
        UserError: If the data cannot be read or have a class that the run does not have, or a logit is not finite.
    """
    table = align_classes(read_table(data), trained.classes)
    with Progress("images", len(table)) as progress:
        images = trained.read_images(table, data.on_bad_image, progress.update)
    table, rejected = table.take(images.kept), table.rejected + images.rejected
    with Progress("predicting", len(table) * trained.passes) as progress:
        logits = trained.logits(images.pixels, progress.advance)
    predictions = Predictions(np.arange(len(table)), logits, trained.threshold)
    found = Evaluation(table, predictions, marked(split_metrics(table, predictions, seed), trained.diverged), rejected)
    for note in found.notes:
        if note.startswith(WARNING):
            logger.warning("%s", note.removeprefix(WARNING))
    return found


def align_classes(table: CaseTable, classes: tuple[str, ...]) -> CaseTable:
    """Return a table whose targets are indices into the classes of a run.

    Raises:
        UserError: If the data have a class that the run does not have.
    """
    unknown = [name for name in table.classes if name not in classes]
    if unknown:
        absent, of_data, of_run = (", ".join(map(repr, names)) for names in (unknown, table.classes, classes))
        raise UserError(f"The run has no class {absent}. Classes of the data: {of_data}; of the run: {of_run}")
    if table.multilabel:
        targets = np.full((len(table), len(classes)), np.nan, np.float32)
        targets[:, [classes.index(name) for name in table.classes]] = table.targets
    else:
        number = np.array([*(classes.index(name) for name in table.classes), -1], np.int32)
        targets = number[table.targets]
    return replace(table, classes=classes, targets=targets)
