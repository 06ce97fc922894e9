"""Read predictions as labels and scores of cases, from a run or from a CSV with the columns `case,label,score`."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from keras_radtl.config import UserError
from keras_radtl.config.errors import listed, shown
from keras_radtl.data.sources.rows import Rows, read_rows
from keras_radtl.models.probabilities import to_probabilities
from keras_radtl.runs.directory import CONFIG, STATUS, SUMMARY, RunDirectory, predictions_name
from keras_radtl.runs.files import FORMULA

_PROBABILITY, _LOGIT = "prob_", "logit_"


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
        classes: Class names of a run, the labels of the file; empty if they are 0 and 1.
        diverged: Whether the training of the run has diverged.
    """

    name: str
    source: Path
    cases: tuple[str, ...]
    targets: np.ndarray
    scores: np.ndarray
    groups: tuple[str, ...] = ()
    excluded: int = 0
    classes: tuple[str, ...] = ()
    diverged: bool = False


def read_scored_cases(path: str | Path, split: str = "test", positive: str = "") -> ScoredCases:
    """Read a run directory, a predictions file of a run, or a CSV with the columns case, label (0 or 1) and score.

    Files are in UTF-8 and separated by commas, semicolons or tabs.

    Args:
        path: Folder or file.
        split: Split that is read from a run directory: `train`, `val` or `test`.
        positive: The class that is compared with all others; the default is the second of two classes. Files with the
            labels 0 and 1 do not use it.

    Raises:
        UserError: If the file does not exist, is malformed or lacks a column, or if the run is not finished; the
            message names file, row and value.
    """
    path = Path(path)
    file = path / predictions_name(split) if path.is_dir() else path
    if path.is_dir():
        _check_finished(path)
    if not file.is_file():
        problem = f"it has no {file.name}; is the run finished?" if path.is_dir() else "no such file or folder"
        raise UserError(f"{path}: {problem}")
    rows = read_rows(file)
    if "score" in rows.header:
        _require_columns(rows, ("case", "label", "score"))
        return _from_scores(path, rows)
    if not any(name.startswith(_PROBABILITY) for name in rows.header):
        raise UserError(f"{file}: needs the columns case,label,score. Received: {listed(rows.header)}")
    _require_columns(rows, ("case", "label"))
    summary = _summary(file.parent, path.is_dir())
    if summary.get("multilabel"):
        raise UserError(
            f"{file}: belongs to a multi-label run; write a CSV with case,label,score for one of its labels"
        )
    return replace(_from_run(path, rows, positive), diverged=bool(summary.get("diverged")))


def _check_finished(path: Path) -> None:
    """Refuse a run directory whose `status.json` does not say that the run is finished."""
    if _is_run(path) and not RunDirectory(path).finished:
        raise UserError(f"{path}: the run is not finished; resume it, or name the file of its predictions")


def _summary(folder: Path, whole_run: bool) -> dict:
    """Return the summary of a run, empty without one; a file that is named itself needs no readable summary."""
    try:
        return RunDirectory(folder).summary() if _is_run(folder) else {}
    except UserError:
        if whole_run:
            raise
        return {}


def _is_run(folder: Path) -> bool:
    """Return whether a folder is a run directory, or what is left of one; else it may be a folder of predictions."""
    return any(os.path.lexists(folder / name) for name in (STATUS, CONFIG, SUMMARY))


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
            replace(other, cases=first.cases, targets=first.targets, scores=other.scores[order], groups=groups)
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


def common_groups(models: Sequence[ScoredCases]) -> tuple[str, ...]:
    """Return the groups of aligned models; models without groups are skipped.

    Raises:
        UserError: If no model has groups, or if two models differ; the message names the first such case.
    """
    grouped = [model for model in models if model.groups]
    if not grouped:
        raise UserError(f"`clustered` needs the groups of the cases, but {models[0].source} has no column 'group'")
    first = grouped[0]
    for other in grouped[1:]:
        for case, here, there in zip(first.cases, first.groups, other.groups, strict=True):
            if here != there:
                raise UserError(
                    f"case {shown(case)} is in group {shown(here)} in {first.source} but in {shown(there)} in "
                    f"{other.source}; clustered tests need the same groups"
                )
    return first.groups


def _plain(text: str) -> str:
    """Remove the apostrophe that prevents a spreadsheet from evaluating a cell."""
    return text[1:] if text[:1] == "'" and text[1:2] in FORMULA else text


def _column(rows: Rows, name: str) -> list[str]:
    return [_plain(text) for text in rows.column(name)]


def _require_columns(rows: Rows, needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in rows.header]
    if missing:
        raise UserError(f"{rows.file}: column {missing[0]!r} is missing. Received: {listed(rows.header)}")


def _from_scores(path: Path, rows: Rows) -> ScoredCases:
    labels = rows.column("label")
    for index, label in enumerate(labels):
        if label not in ("0", "1", "0.0", "1.0"):
            raise UserError(f"{rows.where(index)}: 'label' must be 0 or 1. Received: {shown(label)}")
    return _scored(path, rows, np.array([label[0] == "1" for label in labels]), _numbers(rows, "score"))


def _from_run(path: Path, rows: Rows, positive: str) -> ScoredCases:
    classes = tuple(name.removeprefix(_PROBABILITY) for name in rows.header if name.startswith(_PROBABILITY))
    if positive and positive not in classes:
        raise UserError(f"{rows.file}: has no class {shown(positive)}. Known: {listed(classes)}")
    if not positive and len(classes) > 2:
        raise UserError(
            f"{rows.file}: has {len(classes)} classes; set `positive` to the one that is compared with the others. "
            f"Known: {listed(classes)}"
        )
    positive = positive or classes[-1]
    all_labels = _column(rows, "label")
    labelled = rows.take([index for index, label in enumerate(all_labels) if label])
    labels = [label for label in all_labels if label]
    if not labels:
        raise UserError(f"{rows.file}: no case has a label")
    for index, label in enumerate(labels):
        if label not in classes:
            where = labelled.where(index)
            raise UserError(f"{where}: 'label' must be one of {listed(classes)}. Received: {shown(label)}")
    targets = np.array([label == positive for label in labels])
    found = _scored(path, labelled, targets, _probabilities(labelled, classes, positive))
    return replace(found, excluded=len(all_labels) - len(labels), classes=classes)


def _probabilities(rows: Rows, classes: Sequence[str], positive: str) -> np.ndarray:
    """Return the probabilities of a class, with all digits if the logits of the file give the same probabilities.

    The digits of the file do not order cases that are almost certainly positive.
    """
    rounded, columns = _numbers(rows, _PROBABILITY + positive), [_LOGIT + name for name in classes]
    if not set(columns) <= set(rows.header):
        return rounded
    logits = np.stack([_numbers(rows, column) for column in columns], axis=1).astype(np.float32)
    exact = to_probabilities(logits, multilabel=False)[:, list(classes).index(positive)]
    return exact if np.allclose(exact, rounded, rtol=0, atol=1e-8) else rounded


def _scored(path: Path, rows: Rows, targets: np.ndarray, scores: np.ndarray) -> ScoredCases:
    cases, seen = _column(rows, "case"), set()
    for index, case in enumerate(cases):
        if case in seen:
            raise UserError(f"{rows.where(index)}: case {shown(case)} appears twice")
        seen.add(case)
    groups = _column(rows, "group") if "group" in rows.header else []
    for index, group in enumerate(groups):
        if not group:
            raise UserError(f"{rows.where(index)}: 'group' is empty; name the group of every case, or drop the column")
    name = path.resolve().name if path.is_dir() else path.stem
    return ScoredCases(name, rows.file, tuple(cases), targets, scores, tuple(groups))


def _numbers(rows: Rows, column: str) -> np.ndarray:
    values = []
    for index, text in enumerate(_column(rows, column)):
        try:
            values.append(float(text))
        except ValueError:
            values.append(math.nan)
        if not math.isfinite(values[-1]):
            raise UserError(f"{rows.where(index)}: {column!r} must be a finite number. Received: {shown(text)}")
    return np.array(values)
