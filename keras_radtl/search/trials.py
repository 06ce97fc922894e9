"""The trials of a search: their table, their ranking and the disk space they need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_radtl.reports.text_table import text_table
from keras_radtl.runs.directory import MODEL
from keras_radtl.runs.files import write_csv

_FIRST = ("trial", "status", "epochs", "bracket", "round", "val_auc", "best_epoch", "seconds", "diverged")


@dataclass(frozen=True)
class TrialRow:
    """One trial.

    Attributes:
        trial: id of the trial, which is the name of its run directory.
        status: `completed`, `failed`, `invalid` (will be retried) or `running`.
        epochs: number of epochs.
        values: searched values by configuration key.
        val_auc: validation AUC; None unless the trial is completed.
        best_epoch: epoch of the saved model.
        seconds: duration of the training.
        bracket: bracket of Hyperband; None for other tuners.
        round: round within the bracket; None for other tuners.
        error: why the trial failed.
        diverged: whether the training diverged; None unless the trial is completed.
    """

    trial: str
    status: str
    epochs: int
    values: dict
    val_auc: float | None = None
    best_epoch: int | None = None
    seconds: float | None = None
    bracket: int | None = None
    round: int | None = None
    error: str = ""
    diverged: bool | None = None


def write_trials(path: Path, rows: Sequence[TrialRow], keys: Sequence[str]) -> None:
    """Write trials as CSV, with one column per searched key and the error last."""
    table = []
    for row in rows:
        table.append([*(getattr(row, name) for name in _FIRST), *(row.values.get(key) for key in keys), row.error])
    write_csv(path, [*_FIRST, *keys, "error"], table)


def rank(rows: Sequence[TrialRow]) -> list[TrialRow]:
    """Return the completed trials by decreasing validation AUC; the earlier of equal trials comes first."""
    return sorted((row for row in rows if row.status == "completed"), key=lambda row: (-row.val_auc, row.trial))


def failures(rows: Sequence[TrialRow]) -> list[TrialRow]:
    """Return the failed trials."""
    return [row for row in rows if row.status == "failed"]


def prune_models(trials: Path, rows: Sequence[TrialRow], keep: int) -> None:
    """Delete the models of all but the best `keep` trials; their other files are kept."""
    for row in rank(rows)[keep:]:
        (trials / row.trial / MODEL).unlink(missing_ok=True)


def search_disk_bytes(weights: int, trainable: int, cases: int, trials: int, keep: int) -> int:
    """Estimate the disk space of a search in bytes, without the feature cache, which has a limit of its own.

    Args:
        weights: number of weights of the largest model.
        trainable: number of its trainable weights.
        cases: number of images.
        trials: number of trials.
        keep: number of saved models; one more exists while the worst of them is replaced.
    """
    models = 4 * weights * (min(keep + 1, trials) if keep else 0)
    checkpoint = 4 * trainable * 4  # current and best weights, and two optimizer values each
    return models + checkpoint + trials * (200 * cases + 20_000)


def show_trials(rows: Sequence[TrialRow], keys: Sequence[str], count: int = 5) -> str:
    """Return the best trials and all trials that diverged or failed as text.

    Args:
        rows: all trials.
        keys: searched configuration keys.
        count: number of trials that are shown.
    """
    best = rank(rows)[:count]
    used = [key for key in keys if any(key in row.values for row in best)]
    header = ["trial", "val AUC", "epochs", *(key.rpartition(".")[2] for key in used)]
    cells = [
        [row.trial, f"{row.val_auc:.4f}", str(row.epochs), *(_text(row.values.get(key)) for key in used)]
        for row in best
    ]
    lines, failed = [text_table([header, *cells])], failures(rows)
    diverged = [row.trial for row in rows if row.diverged]
    lines += [f"diverged: {', '.join(diverged)}"] if diverged else []
    lines += [f"failed: {len(failed)} of {len(rows)}"] if failed else []
    return "\n".join([*lines, *(f"  {row.trial}: {row.error}" for row in failed)])


def _text(value) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
