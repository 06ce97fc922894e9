"""The tables of a run as pandas DataFrames."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from keras_radtl.config import UserError
from keras_radtl.runs.directory import HISTORY, SPLITS, RunDirectory, predictions_name
from keras_radtl.runs.files import read_csv, read_text

if TYPE_CHECKING:
    import pandas as pd

METRIC_COLUMNS = ("value", "ci_low", "ci_high", "n", "method")


def metrics_frame(metrics: Mapping[str, Mapping]) -> pd.DataFrame:
    """Return metrics as a DataFrame indexed by metric, with the columns `METRIC_COLUMNS`."""
    import pandas as pd

    rows = [[values.get(column) for column in METRIC_COLUMNS] for values in metrics.values()]
    frame = pd.DataFrame(rows, columns=list(METRIC_COLUMNS), index=pd.Index(list(metrics), name="metric"))
    return frame.astype({"value": float, "ci_low": float, "ci_high": float})


def read_metrics(run: RunDirectory) -> dict[str, pd.DataFrame]:
    """Return the metrics of a run by split (`train`, `val`, `test`)."""
    return {split: metrics_frame(values) for split, values in run.metrics().items() if split in SPLITS}


def read_history(run: RunDirectory, folds: int) -> pd.DataFrame:
    """Return one row per epoch: `epoch`, `phase`, losses and validation metrics.

    Args:
        run: The run directory.
        folds: Number of folds; if it is not 0, the first column is `fold`.
    Raises:
        UserError: If the file is missing or damaged; the message names it.
    """
    import pandas as pd

    if not folds:
        return _read_frame(run / HISTORY)
    frames = [_read_frame(run.fold(fold) / HISTORY) for fold in range(1, folds + 1)]
    for fold, frame in enumerate(frames, start=1):
        frame.insert(0, "fold", fold)
    return pd.concat(frames, ignore_index=True)


def read_predictions(run: RunDirectory, split: str) -> pd.DataFrame:
    """Return the predictions of a split: case, path, group, label, predicted, logits and probabilities.

    Raises:
        UserError: If the run has no predictions of this split.
    """
    import pandas as pd

    file = run / predictions_name(split)
    if split not in SPLITS or not file.is_file():
        known = [name for name in SPLITS if (run / predictions_name(name)).is_file()]
        raise UserError(f"`split` must be one of {', '.join(known)}. Received: split={split!r}")
    frame = pd.DataFrame(read_csv(file))
    numbers = [name for name in frame.columns if name.startswith(("logit_", "prob_"))]
    try:
        return frame.astype(dict.fromkeys(numbers, float))
    except ValueError as error:
        raise UserError(f"{file} is damaged: {error}") from None


def _read_frame(file: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_csv(io.StringIO(read_text(file)))
    except ValueError as error:  # pandas' own errors, and ours
        raise error if isinstance(error, UserError) else UserError(f"{file} is damaged: {error}") from None
