"""Read predictions as labels and scores of cases, from a run or from a CSV with the columns `case,label,score`."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_radtl.config import UserError
from keras_radtl.runs.directory import SUMMARY, predictions_name
from keras_radtl.runs.files import FORMULA, read_json

_PROBABILITY = "prob_"


@dataclass(frozen=True)
class ScoredCases:
    """Predictions of one model for a binary task.

    Attributes:
        name: Name of the model, for tables and legends.
        source: The file that was read.
        cases: Unique case ids, in the order of the file.
        targets: bool array of shape (n,), True for positive cases.
        scores: finite float64 array of shape (n,); higher means more positive.
        groups: Group of each case; empty if the file has no groups.
        excluded: Number of cases that were excluded because they have no label.
    """

    name: str
    source: Path
    cases: tuple[str, ...]
    targets: np.ndarray
    scores: np.ndarray
    groups: tuple[str, ...] = ()
    excluded: int = 0


def read_scored_cases(path: str | Path, split: str = "test", positive: str = "") -> ScoredCases:
    """Read a run directory, a predictions file of a run, or a CSV with the columns case, label (0 or 1) and score.

    Args:
        path: Folder or file.
        split: Split that is read from a run directory: `train`, `val` or `test`.
        positive: The class that is compared with all others; the default is the second of two classes.

    Raises:
        UserError: If the file does not exist, is malformed or lacks a column; the message names file, line and value.
    """
    path = Path(path)
    file = path / predictions_name(split) if path.is_dir() else path
    if not file.is_file():
        problem = f"it has no {file.name}; is the run finished?" if path.is_dir() else "no such file or folder"
        raise UserError(f"{path}: {problem}")
    summary = file.parent / SUMMARY
    columns, rows = _read_rows(file)
    if "score" in columns:
        _require_columns(file, columns, ("case", "label", "score"))
        return _from_scores(path, file, rows)
    if not any(name.startswith(_PROBABILITY) for name in columns):
        raise UserError(f"{file}: needs the columns case,label,score. Received: {','.join(columns)}")
    _require_columns(file, columns, ("case", "label"))
    if summary.is_file() and read_json(summary).get("multilabel"):
        raise UserError(
            f"{file}: belongs to a multi-label run; write a CSV with case,label,score for one of its labels"
        )
    return _from_run(path, file, rows, [name for name in columns if name.startswith(_PROBABILITY)], positive)


def align(models: Sequence[ScoredCases]) -> list[ScoredCases]:
    """Return the models with their cases in the order of the first model.

    Raises:
        UserError: If cases or labels differ; the message names the first such case and the file.
    """
    first = models[0]
    aligned = [first]
    for other in models[1:]:
        position = {case: index for index, case in enumerate(other.cases)}
        _require_same(first, other, position)
        order = np.array([position[case] for case in first.cases])
        differing = np.flatnonzero(other.targets[order] != first.targets)
        if len(differing):
            case = first.cases[differing[0]]
            here, there = (int(targets[differing[0]]) for targets in (first.targets, other.targets[order]))
            raise UserError(f"case {case!r} is {here} in {first.source} but {there} in {other.source} (1: positive)")
        groups = tuple(other.groups[index] for index in order) if other.groups else ()
        aligned.append(
            ScoredCases(
                other.name, other.source, first.cases, first.targets, other.scores[order], groups, other.excluded
            )
        )
    return aligned


def _require_same(first: ScoredCases, other: ScoredCases, position: dict[str, int]) -> None:
    known = set(first.cases)
    missing = [case for case in first.cases if case not in position]
    added = [case for case in other.cases if case not in known]
    for cases, there, lacking in ((missing, first, other), (added, other, first)):
        if cases:
            raise UserError(
                f"case {cases[0]!r} is in {there.source} but not in {lacking.source} "
                f"({len(cases)} in total); models are compared on the same cases"
            )


def _read_rows(file: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Return the columns and the rows with their line numbers."""
    try:
        with open(file, newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, strict=True)
            columns = list(reader.fieldnames or ())
            rows = [(reader.line_num, row) for row in reader]
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise UserError(f"{file}: cannot be read as CSV ({error})") from None
    if not rows:
        raise UserError(f"{file}: has no predictions")
    twice = [name for name, count in Counter(columns).items() if count > 1]
    if twice:
        raise UserError(f"{file}: column {twice[0]!r} appears twice")
    for line, row in rows:
        if None in row or None in row.values():
            raise UserError(f"{file}, line {line}: must have {len(columns)} columns, like the first line")
    return columns, [(line, {name: _plain(value) for name, value in row.items()}) for line, row in rows]


def _plain(text: str) -> str:
    """Remove the apostrophe that prevents a spreadsheet from evaluating a cell."""
    return text[1:] if text[:1] == "'" and text[1:2] in FORMULA else text


def _require_columns(file: Path, columns: Sequence[str], needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in columns]
    if missing:
        raise UserError(f"{file}: column {missing[0]!r} is missing. Received: {','.join(columns)}")


def _from_scores(path: Path, file: Path, rows) -> ScoredCases:
    targets = []
    for line, row in rows:
        if row["label"].strip() not in ("0", "1", "0.0", "1.0"):
            raise UserError(f"{file}, line {line}: 'label' must be 0 or 1. Received: {row['label']!r}")
        targets.append(row["label"].strip()[0] == "1")
    scores = [_number(file, line, row, "score") for line, row in rows]
    return _scored(path, file, rows, targets, scores, 0)


def _from_run(path: Path, file: Path, rows, columns: Sequence[str], positive: str) -> ScoredCases:
    classes = [name.removeprefix(_PROBABILITY) for name in columns]
    if positive and positive not in classes:
        raise UserError(f"{file}: has no class {positive!r}. Known: {', '.join(classes)}")
    if not positive and len(classes) > 2:
        raise UserError(
            f"{file}: has {len(classes)} classes; set `positive` to the one that is compared with the others. "
            f"Known: {', '.join(classes)}"
        )
    positive = positive or classes[-1]
    labelled = [(line, row) for line, row in rows if row["label"] != ""]
    if not labelled:
        raise UserError(f"{file}: no case has a label")
    for line, row in labelled:
        if row["label"] not in classes:
            raise UserError(
                f"{file}, line {line}: 'label' must be one of {', '.join(classes)}. Received: {row['label']!r}"
            )
    scores = [_number(file, line, row, _PROBABILITY + positive) for line, row in labelled]
    targets = [row["label"] == positive for _, row in labelled]
    return _scored(path, file, labelled, targets, scores, len(rows) - len(labelled))


def _scored(path: Path, file: Path, rows, targets, scores, excluded: int) -> ScoredCases:
    seen = set()
    for line, row in rows:
        if row["case"] in seen:
            raise UserError(f"{file}, line {line}: case {row['case']!r} appears twice")
        seen.add(row["case"])
    groups = tuple(row["group"] for _, row in rows) if "group" in rows[0][1] else ()
    name = path.resolve().name if path.is_dir() else path.stem
    return ScoredCases(
        name, file, tuple(row["case"] for _, row in rows), np.array(targets), np.array(scores), groups, excluded
    )


def _number(file: Path, line: int, row: dict[str, str], column: str) -> float:
    try:
        value = float(row[column])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{file}, line {line}: {column!r} must be a finite number. Received: {row[column]!r}")
    return value
