"""A CSV of paths and labels, one row per image, with optional groups and split.

Columns are found by name, in any case:

| column | names |
|---|---|
| path, relative to the folder of the CSV | path, image, filename, file and the like |
| label | label, class, target, diagnosis, or the only one that ends in `_label`; or named by `label` |
| several labels | 0/1 columns named by `labels` (empty, NaN and -1 are unknown), or one column of lists joined by ";" |
| group | group, patient, patient_id, subject, exam, exam_id and the like; or named by `groups` |
| split | split (train, val, valid, validation, test), or fold (whole numbers: each fold is tested once) |

The text must be UTF-8, with or without byte order mark; comma, semicolon and tab separate. Every fault names its row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from keras_radtl.config import DataConfig, UserError
from keras_radtl.data.sources.groups import find_groups
from keras_radtl.data.sources.paths import Root
from keras_radtl.data.sources.rows import Rows, read_rows
from keras_radtl.data.table import CaseTable, case_names, encode_labels, sort_classes

PATH_NAMES = ("path", "image", "filename", "file", "file_name", "filepath", "file_path", "image_path", "image_name")
LABEL_NAMES = ("label", "class", "target", "diagnosis")
GROUP_NAMES = ("group", "group_id", "patient", "patient_id", "patientid", "subject", "subject_id", "exam", "exam_id")
SPLIT_NAMES = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
UNKNOWN_VALUES = ("", "nan", "na", "n/a", "#n/a", "null", "<na>")


def read(path: Path, config: DataConfig) -> CaseTable:
    """Read the cases of one CSV.

    Raises:
        UserError: for a missing column, and for any fault of a row, naming it.
    """
    rows = read_rows(path)
    path_column = rows.find(PATH_NAMES) or _miss(rows, "path", "path, image, filename or file")
    paths = rows.convert(path_column, Root(path.parent).find)
    label_columns = _label_columns(rows, config)
    group_column = _group_column(rows, config)
    used = [*label_columns, group_column, rows.find(("split",)), rows.find(("fold",))]
    keep, notes = _drop_repeats(rows, paths, [rows.column(name) for name in used if name])
    rows, paths = rows.take(keep), tuple(paths[i] for i in keep)
    labels, classes, targets, multilabel = _targets(rows, label_columns, bool(config.labels))
    cases = case_names(paths)
    given, split_notes = _given(rows)
    table = CaseTable(
        path.stem,
        path.parent,
        cases,
        paths,
        cases,
        classes,
        targets,
        multilabel,
        given,
        labels,
        notes=(*notes, *split_notes),
    )
    return _with_groups(table, rows, group_column, config)


def _miss(rows: Rows, what: str, names: str):
    raise UserError(f"{rows.file}: no {what} column ({names}). Columns: {', '.join(rows.header)}")


def _label_columns(rows: Rows, config: DataConfig) -> list[str]:
    if config.labels:
        if config.label is not None:
            raise UserError("Give `label` (one column) or `labels` (several 0/1 columns), not both")
        return [rows.named(name, "labels") for name in config.labels]
    return [label_column(rows, config.label)]


def label_column(rows: Rows, label: str | None) -> str:
    """Return the column that holds the label: the one asked for, else the one whose name says so."""
    if label is not None:
        return rows.named(label, "label")
    found = rows.find(LABEL_NAMES)
    endings = [name for name in rows.header if name.lower().endswith("_label")]
    if found is None and len(endings) > 1:
        raise UserError(f"{rows.file}: several label columns ({', '.join(endings)}); name one by --label")
    return found or (endings[0] if endings else _miss(rows, "label", "label, class, target, diagnosis, *_label"))


def _group_column(rows: Rows, config: DataConfig) -> str | None:
    if config.groups == "auto":
        return rows.find(GROUP_NAMES)
    named = config.groups != "none" and not config.groups.startswith("re:")
    return rows.named(config.groups, "groups") if named else None


def _drop_repeats(rows: Rows, paths: Sequence[str], others: list[list[str]]) -> tuple[list[int], tuple[str, ...]]:
    """Return the rows to keep: a path that comes again with the same label, group and split counts once."""
    first: dict[str, int] = {}
    keep = []
    for i, name in enumerate(paths):
        j = first.setdefault(name, i)
        if j == i:
            keep.append(i)
            continue
        for column in others:
            if column[i] != column[j]:
                was = f"{column[j]!r} in row {rows.numbers[j]}"
                raise UserError(f"{rows.where(i)}: {name} has {column[i]!r} here and {was}")
    repeated = len(paths) - len(keep)
    return keep, (f"left out: repeated rows: {repeated}",) if repeated else ()


def _targets(rows: Rows, columns: list[str], several: bool):
    """Return labels as spelled, classes, targets, and whether a case may have several labels."""
    if several:
        targets = np.array([rows.convert(name, _flag) for name in columns], np.float32).T
        targets = np.ascontiguousarray(targets)
        classes = tuple(columns)
        labels = tuple(";".join(np.array(classes)[row == 1].tolist()) for row in targets)
        return labels, classes, targets, True
    labels = tuple(rows.convert(columns[0], clean_label))
    if not any(";" in label for label in labels):
        classes = sort_classes(labels)
        return labels, classes, encode_labels(labels, classes), False
    lists = [[part.strip() for part in label.split(";") if part.strip()] for label in labels]
    classes = sort_classes([part for parts in lists for part in parts])
    targets = np.array([[name in parts for name in classes] for parts in map(set, lists)], np.float32)
    return labels, classes, targets, True


def clean_label(text: str) -> str:
    """Return a label as it stands; refuse an empty or unknown one."""
    if text.lower() in UNKNOWN_VALUES:
        raise UserError(f"the label is missing. Received: {text!r}")
    return text


def _flag(text: str) -> float:
    if text.lower() in UNKNOWN_VALUES:
        return np.nan
    try:
        value = float(text)
    except ValueError:
        value = None
    if value not in (0, 1, -1):
        raise UserError(f"a label of several must be 0, 1, or empty, NaN or -1 (unknown). Received: {text!r}")
    return value if value >= 0 else np.nan


def _with_groups(table: CaseTable, rows: Rows, column: str | None, config: DataConfig) -> CaseTable:
    if column is None:
        return find_groups(table, config.groups)
    names = rows.convert(column, lambda text: "" if text.lower() in UNKNOWN_VALUES else text)
    alone = names.count("")
    groups = tuple(name or f"{case} (alone)" for name, case in zip(names, table.cases, strict=True))
    table = replace(table, groups=groups, group_source=f"column {column}")
    return table.with_notes(f"column {column} is empty in {alone} rows: each a group of its own") if alone else table


def _given(rows: Rows) -> tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]:
    """Return the split of the column `split`, else the folds of `fold`, else nothing; and notes."""
    split, fold = rows.find(("split",)), rows.find(("fold",))
    if split:
        parts = tuple(rows.convert(split, _part))
        return (parts,), (f"column {fold} is not used: column {split} gives the split",) if fold else ()
    if not fold:
        return (), ()
    numbers = rows.convert(fold, _fold_number)
    folds = sorted(set(numbers))
    if len(folds) < 2:
        raise UserError(f"{rows.file}: column {fold} holds one fold only: {folds[0]}")
    return tuple(tuple("test" if n == f else "train" for n in numbers) for f in folds), ()


def _part(text: str) -> str:
    if text.lower() not in SPLIT_NAMES:
        raise UserError(f"split must be one of {', '.join(SPLIT_NAMES)}. Received: {text!r}")
    return SPLIT_NAMES[text.lower()]


def _fold_number(text: str) -> int:
    whole = text.removesuffix(".0")
    if not (whole.isascii() and whole.isdigit() and len(whole) < 10):
        raise UserError(f"fold must be a whole number. Received: {text!r}")
    return int(whole)
