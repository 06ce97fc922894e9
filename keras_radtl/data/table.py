"""The case table: one row per image, with its label, its group and, if the data define one, its part of a split.

Every source of images returns a `CaseTable`. Code that takes a table does not depend on the source.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from keras_radtl.config import UserError
from keras_radtl.config.errors import listed, shown

PARTS = ("train", "val", "test")  # the parts of a split
NO_GROUPS = "none"  # value of `group_source`: no patient or exam is known
MAX_CLASS_NAME = 200  # characters
GROUPS_OFF = "off"  # value of `group_source`: the user chose to split without groups


@dataclass(frozen=True)
class Rejected:
    """A file or row that was excluded, with the reason."""

    path: str
    reason: str


@dataclass(frozen=True, eq=False)
class CaseTable:
    """The cases of a data set, in the order of its source.

    Attributes:
        name: Short name of the data set, used in titles.
        root: Folder that `paths` are relative to; None if the images are arrays.
        cases: Unique ids: the path without suffix where that is unique, else the path.
        paths: Relative paths with "/" ("train/000017" for arrays).
        groups: Patient or exam of each case; the case id where none is known.
        classes: Class names in the order of the targets; for a binary task (negative, positive).
        targets: int32 array of shape (n,), the class index or -1 (unknown). For multi-label tasks float32 array of
            shape (n, n_labels) of 0, 1 and NaN (unknown).
        multilabel: Whether a case may have several labels.
        predefined_splits: The splits that the data define, one per fold: "train", "val" or "test" for each case, or
            "" if the case is in no part. If a fold has no "val" case, validation cases are drawn from "train".
        labels: Label of each case as spelled in the source, before `positive` merges classes.
        pixels: uint8 arrays of shape (height, width) or (height, width, 3) if the images are arrays.
        masks: Lesion masks of phantoms, uint8 arrays of 0 and 1.
        group_source: How the groups were found ("column patient"), `NO_GROUPS` or `GROUPS_OFF`.
        notes: Messages for the user.
        rejected: Files and rows that the source excluded because the user allowed it.
    """

    name: str
    root: Path | None
    cases: tuple[str, ...]
    paths: tuple[str, ...]
    groups: tuple[str, ...]
    classes: tuple[str, ...]
    targets: np.ndarray
    multilabel: bool = False
    predefined_splits: tuple[tuple[str, ...], ...] = ()
    labels: tuple[str, ...] = ()
    pixels: Sequence[np.ndarray] | None = None
    masks: Sequence[np.ndarray] | None = None
    group_source: str = NO_GROUPS
    notes: tuple[str, ...] = ()
    rejected: tuple[Rejected, ...] = ()

    def __post_init__(self):
        n = len(self.cases)
        for name in ("paths", "groups", "targets", "labels", "pixels", "masks"):
            value = getattr(self, name)
            if value is not None and len(value) != n and not (name == "labels" and not value):
                raise ValueError(f"`{name}` must have one entry per case ({n}). Received: {len(value)} entries")
        for fold, parts in enumerate(self.predefined_splits):
            if len(parts) != n or not set(parts) <= {*PARTS, ""}:
                rule = f"{n} values of train, val, test or ''"
                raise ValueError(f"`predefined_splits[{fold}]` must be {rule}. Received: {len(parts)} of {set(parts)}")
        if len(set(self.cases)) != n:
            repeated = next(case for case, count in Counter(self.cases).items() if count > 1)
            raise ValueError(f"`cases` must be unique. Received twice: {repeated!r}")
        _check_targets(self.targets, len(self.classes), self.multilabel)

    def __len__(self) -> int:
        return len(self.cases)

    @property
    def positive(self) -> str | None:
        """Name of the positive class of a binary task, else None."""
        return self.classes[1] if len(self.classes) == 2 and not self.multilabel else None

    def target_text(self, target) -> str:
        """Return a target as text: the class name, or the names of the labels that are 1 joined by `;`.

        Args:
            target: class index, or 0/1/NaN array of shape (n_labels,) for a multi-label task.

        Returns:
            An empty string for an unknown class, and for a case without labels.
        """
        if self.multilabel:
            return ";".join(name for name, value in zip(self.classes, target, strict=True) if value == 1)
        return self.classes[target] if target >= 0 else ""

    def label_text(self, row: int) -> str:
        """Return the label of one case as its source spells it; `none` without labels, `unknown` when unknown."""
        text = self.labels[row] if self.labels else self.target_text(self.targets[row])
        return text or ("none" if self.multilabel else "unknown")

    def take(self, indices: Sequence[int] | np.ndarray) -> CaseTable:
        """Return a table of the selected rows, in the order of `indices`; `classes` is unchanged.

        Args:
            indices: int array of shape (m,), row numbers.
        """
        rows = [int(i) for i in indices]
        changes = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("cases", "paths", "groups", "labels"):
                changes[field.name] = tuple(value[i] for i in rows) if value else value
            elif field.name == "predefined_splits":
                changes[field.name] = tuple(tuple(parts[i] for i in rows) for parts in value)
            elif field.name in ("targets", "pixels", "masks") and isinstance(value, np.ndarray):
                changes[field.name] = value[rows]
            elif field.name in ("pixels", "masks") and value is not None:
                changes[field.name] = [value[i] for i in rows]
        return replace(self, **changes)

    def with_notes(self, *notes: str) -> CaseTable:
        """Return the table with `notes` appended to its messages for the user."""
        return replace(self, notes=self.notes + notes)


def _check_targets(targets: np.ndarray, num_classes: int, multilabel: bool) -> None:
    if multilabel:
        known = targets[~np.isnan(targets)] if targets.ndim == 2 else targets
        valid = targets.ndim == 2 and targets.shape[1] == num_classes and targets.dtype == np.float32
        valid = valid and bool(np.isin(known, (0, 1)).all())
        rule = f"float32 (n, {num_classes}) of 0, 1 and NaN"
    else:
        valid = targets.ndim == 1 and targets.dtype == np.int32
        valid = valid and bool(((targets >= -1) & (targets < num_classes)).all())
        rule = f"int32 (n,) in [-1, {num_classes})"
    if not valid:
        raise ValueError(f"`targets` must be {rule}. Received: {targets.dtype} array of shape {targets.shape}")


def case_names(paths: Sequence[str]) -> tuple[str, ...]:
    """Return a unique id for each of the unique relative `paths`: the path without suffix where that is unique."""
    stems = [_without_suffix(path) for path in paths]
    count = Counter(stems)
    names = tuple(stem if count[stem] == 1 else path for stem, path in zip(stems, paths, strict=True))
    return names if len(set(names)) == len(names) else tuple(paths)


def _without_suffix(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    stem = name.rpartition(".")[0]
    return folder + slash + (stem or name)


def check_class_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return class or label names as a tuple.

    Raises:
        UserError: If a name has more than 200 characters, which no table or figure can show.
    """
    for name in names:
        if len(name) > MAX_CLASS_NAME:
            raise UserError(f"A class name must have at most {MAX_CLASS_NAME} characters. Received: {shown(name)}")
    return tuple(names)


def sort_classes(names: Sequence[str]) -> tuple[str, ...]:
    """Return the distinct class names in sorted order; whole numbers are sorted by value.

    Raises:
        UserError: If two names differ only in case, if one is too long, or if there are fewer than two names.
    """
    distinct = set(check_class_names(names))
    folded = Counter(name.casefold() for name in distinct)
    alike = sorted(name for name in distinct if folded[name.casefold()] > 1)
    if alike:
        raise UserError(f"Class names must differ in more than upper and lower case. Received: {listed(alike)}")
    if len(distinct) < 2:
        raise UserError(f"At least two classes are needed. Found: {', '.join(distinct) or 'none'}")
    numbers = all(name.isascii() and name.isdigit() for name in distinct)
    return tuple(sorted(distinct, key=(lambda name: (int(name), name)) if numbers else None))


def encode_labels(labels: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """Return the class index of each label as an int32 array of shape (n,)."""
    index = {name: i for i, name in enumerate(classes)}
    return np.array([index[label] for label in labels], np.int32)


def with_positive(table: CaseTable, positive: str | None) -> CaseTable:
    """Return the table as the binary task `positive` versus the rest, or unchanged if `positive` is None.

    If there is only one other class, the negative class keeps its name; otherwise its name is "other".

    Raises:
        UserError: If the task is multi-label or has no class of that name.
    """
    if positive is None:
        return table
    if table.multilabel:
        raise UserError("`positive` must be None for a multi-label task: it needs one label per case")
    if positive not in table.classes:
        raise UserError(f"`positive` must be one of {listed(table.classes)}. Received: positive={shown(positive)}")
    rest = [name for name in table.classes if name != positive]
    negative = rest[0] if len(rest) == 1 else ("not " + positive if positive == "other" else "other")
    index = table.classes.index(positive)
    targets = np.where(table.targets < 0, -1, table.targets == index).astype(np.int32)
    labels = table.labels or tuple(table.classes[t] if t >= 0 else "" for t in table.targets)
    return replace(table, classes=(negative, positive), targets=targets, labels=labels)
