"""Read a CSV file of paths and labels, one row per image, with optional groups and split.

Columns are found by name; upper and lower case do not matter:

| column | names |
|---|---|
| path, relative to the folder of the CSV file | path, image, filename, file and similar (see `PATH_NAMES`) |
| label | the column that `label` names; else label, class, target, diagnosis, or the only `*_label` column |
| several labels | the 0/1 columns in `labels` (empty, NaN and -1: unknown), or one column of labels joined by ";" |
| group | the column that `groups` names; else group, patient, subject, exam and similar (see `GROUP_NAMES`) |
| split | split (train, val or test, also training, valid, validation), or fold (integers; each fold is tested once) |

The file must be UTF-8, with or without byte order mark, and separated by commas, semicolons or tabs. Error messages
name the row, and a note names the columns that are not used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from keras_radtl.config import DataConfig, UserError
from keras_radtl.config.errors import listed
from keras_radtl.data.sources.groups import find_groups
from keras_radtl.data.sources.paths import Root
from keras_radtl.data.sources.rows import Rows, read_rows
from keras_radtl.data.table import CaseTable, case_names, check_class_names, encode_labels, sort_classes

PATH_NAMES = ("path", "image", "filename", "file", "file_name", "filepath", "file_path", "image_path", "image_name")
LABEL_NAMES = ("label", "class", "target", "diagnosis")
GROUP_NAMES = ("group", "group_id", "patient", "patient_id", "patientid", "subject", "subject_id", "exam", "exam_id")
SPLIT_NAMES = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
UNKNOWN_VALUES = ("", "nan", "na", "n/a", "#n/a", "null", "<na>")


def read(path: Path, config: DataConfig) -> CaseTable:
    """Read the cases of a CSV file.

    Args:
        path: The CSV file.
        config: Names of the columns of labels and groups.

    Returns:
        The `CaseTable`.

    Raises:
        UserError: If a column is missing or a row is invalid; the message names the column or row.
    """
    rows = read_rows(path)
    path_column = rows.find(PATH_NAMES) or _raise_missing(rows, "path", "path, image, filename or file")
    paths = rows.convert(path_column, Root(path.parent).find)
    label_columns = _label_columns(rows, config)
    group_column = _group_column(rows, config)
    used = [*label_columns, group_column, rows.find(("split",)), rows.find(("fold",))]
    unused = rows.unused([path_column, *used])
    keep, notes = _drop_repeated_rows(rows, paths, [rows.column(name) for name in used if name])
    rows, paths = rows.take(keep), tuple(paths[i] for i in keep)
    labels, classes, targets, multilabel = _targets(rows, label_columns, bool(config.labels))
    cases = case_names(paths)
    predefined_splits, split_notes = _predefined_splits(rows)
    table = CaseTable(
        path.stem,
        path.parent,
        cases,
        paths,
        cases,
        classes,
        targets,
        multilabel,
        predefined_splits,
        labels,
        notes=(*notes, *split_notes, *unused),
    )
    return _with_groups(table, rows, group_column, config)


def _raise_missing(rows: Rows, what: str, names: str):
    raise UserError(f"{rows.file}: no {what} column ({names}). Columns: {listed(rows.header)}")


def _label_columns(rows: Rows, config: DataConfig) -> list[str]:
    if config.labels:
        if config.label is not None:
            raise UserError("Give `label` (one column) or `labels` (several 0/1 columns), not both")
        return [rows.named(name, "labels") for name in config.labels]
    return [label_column(rows, config.label)]


def label_column(rows: Rows, label: str | None) -> str:
    """Return the name of the label column: `label` if it is given, else the column with a known name."""
    if label is not None:
        return rows.named(label, "label")
    found = rows.find(LABEL_NAMES)
    endings = [name for name in rows.header if name.lower().endswith("_label")]
    if found is None and len(endings) > 1:
        raise UserError(f"{rows.file}: several label columns ({listed(endings)}); select one with `label`")
    return found or (
        endings[0] if endings else _raise_missing(rows, "label", "label, class, target, diagnosis, *_label")
    )


def _group_column(rows: Rows, config: DataConfig) -> str | None:
    if config.groups == "auto":
        return rows.find(GROUP_NAMES)
    named = config.groups != "none" and not config.groups.startswith("re:")
    return rows.named(config.groups, "groups") if named else None


def _drop_repeated_rows(rows: Rows, paths: Sequence[str], others: list[list[str]]) -> tuple[list[int], tuple[str, ...]]:
    """Return the rows to keep and a note; repeated rows of a path must have the same label, group and split."""
    first: dict[str, int] = {}
    keep = []
    for i, name in enumerate(paths):
        j = first.setdefault(name, i)
        if j == i:
            keep.append(i)
            continue
        for column in others:
            if column[i] != column[j]:
                earlier = f"{column[j]!r} in row {rows.numbers[j]}"
                raise UserError(f"{rows.where(i)}: {name} has {column[i]!r} here and {earlier}")
    repeated = len(paths) - len(keep)
    return keep, (f"repeated rows excluded: {repeated}",) if repeated else ()


def _targets(rows: Rows, columns: list[str], several: bool):
    """Return the labels as spelled in the file, the classes, the targets, and whether the task is multi-label."""
    if several:
        targets = np.array([rows.convert(name, _label_value) for name in columns], np.float32).T
        targets = np.ascontiguousarray(targets)
        classes = check_class_names(columns)
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
    """Return a label unchanged.

    Raises:
        UserError: If the label is missing.
    """
    if text.lower() in UNKNOWN_VALUES:
        raise UserError(f"the label is missing. Received: {text!r}")
    return text


def _label_value(text: str) -> float:
    if text.lower() in UNKNOWN_VALUES:
        return np.nan
    try:
        value = float(text)
    except ValueError:
        value = None
    if value not in (0, 1, -1):
        raise UserError(f"the label must be 0, 1, or empty, NaN or -1 (unknown). Received: {text!r}")
    return value if value >= 0 else np.nan


def _with_groups(table: CaseTable, rows: Rows, column: str | None, config: DataConfig) -> CaseTable:
    if column is None:
        return find_groups(table, config.groups)
    names = rows.convert(column, lambda text: "" if text.lower() in UNKNOWN_VALUES else text)
    alone = names.count("")
    groups = tuple(name or f"{case} (alone)" for name, case in zip(names, table.cases, strict=True))
    table = replace(table, groups=groups, group_source=f"column {column}")
    note = f"rows without {column}: {alone}; each is a separate group"
    return table.with_notes(note) if alone else table


def _predefined_splits(rows: Rows) -> tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]:
    """Return the split of the column `split`, else the folds of the column `fold`, else nothing; and notes."""
    split, fold = rows.find(("split",)), rows.find(("fold",))
    if split:
        parts = tuple(rows.convert(split, _part))
        return (parts,), (f"column {fold} is not used, because column {split} defines the split",) if fold else ()
    if not fold:
        return (), ()
    numbers = rows.convert(fold, _fold_number)
    folds = sorted(set(numbers))
    if len(folds) < 2:
        raise UserError(f"{rows.file}: column {fold} must have at least two folds. Received: {folds[0]}")
    return tuple(tuple("test" if n == f else "train" for n in numbers) for f in folds), ()


def _part(text: str) -> str:
    if text.lower() not in SPLIT_NAMES:
        raise UserError(f"split must be one of {', '.join(SPLIT_NAMES)}. Received: {text!r}")
    return SPLIT_NAMES[text.lower()]


def _fold_number(text: str) -> int:
    whole = text.removesuffix(".0")
    if not (whole.isascii() and whole.isdigit() and len(whole) < 10):
        raise UserError(f"fold must be an integer >= 0. Received: {text!r}")
    return int(whole)
