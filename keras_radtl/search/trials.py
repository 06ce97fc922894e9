"""The trials of a search as rows: the table that is written after each of them, and the best of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_radtl.runs.directory import MODEL
from keras_radtl.runs.files import write_csv

_FIRST = ("trial", "status", "epochs", "bracket", "round", "val_auc", "best_epoch", "seconds")


@dataclass(frozen=True)
class TrialRow:
    """One trial.

    Attributes:
        trial: its id, and the name of its run directory.
        status: `completed`, `failed`, `invalid` (will be tried again) or `running`.
        epochs: that it trains.
        values: searched values by configuration key.
        val_auc: validation AUC; None unless completed.
        best_epoch: epoch of the model that was kept.
        seconds: of training.
        bracket: of hyperband.
        round: within the bracket.
        error: why it failed.
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


def write_trials(path: Path, rows: Sequence[TrialRow], keys: Sequence[str]) -> None:
    """Write trials as CSV, with a column for each searched key and the reason of failures last."""
    table = []
    for row in rows:
        table.append([*(getattr(row, name) for name in _FIRST), *(row.values.get(key) for key in keys), row.error])
    write_csv(path, [*_FIRST, *keys, "error"], table)


def rank(rows: Sequence[TrialRow]) -> list[TrialRow]:
    """Return the completed trials, the best validation AUC first, the earlier trial first among equals."""
    return sorted((row for row in rows if row.status == "completed"), key=lambda row: (-row.val_auc, row.trial))


def failures(rows: Sequence[TrialRow]) -> list[TrialRow]:
    """Return the failed trials."""
    return [row for row in rows if row.status == "failed"]


def prune_models(trials: Path, rows: Sequence[TrialRow], keep: int) -> None:
    """Remove the models of all but the best `keep` trials; their results stay."""
    for row in rank(rows)[keep:]:
        (trials / row.trial / MODEL).unlink(missing_ok=True)


def disk_bytes(weights: int, trainable: int, cases: int, trials: int, keep: int) -> int:
    """Estimate the bytes that a search needs in its folder, without the store of activations, which has its own limit.

    Args:
        weights: of the largest model.
        trainable: weights of it that train.
        cases: images.
        trials: number of trials.
        keep: models that stay; one more is there for a moment.
    """
    models = 4 * weights * (min(keep + 1, trials) if keep else 0)
    checkpoint = 4 * trainable * 4  # weights now and at best, and two values of the optimizer for each
    return models + checkpoint + trials * (200 * cases + 20_000)


def show_trials(rows: Sequence[TrialRow], keys: Sequence[str], count: int = 5) -> str:
    """Return the best trials and all failures as a plain-text table."""
    best = rank(rows)[:count]
    used = [key for key in keys if any(key in row.values for row in best)]
    head = ["trial", "val AUC", "epochs", *(key.rpartition(".")[2] for key in used)]
    cells = [head] + [
        [row.trial, f"{row.val_auc:.4f}", str(row.epochs), *(_text(row.values.get(key)) for key in used)]
        for row in best
    ]
    widths = [max(len(line[i]) for line in cells) for i in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    failed = failures(rows)
    lines += [f"failed: {len(failed)} of {len(rows)}"] if failed else []
    return "\n".join([*lines, *(f"  {row.trial}: {row.error}" for row in failed)])


def _text(value) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
