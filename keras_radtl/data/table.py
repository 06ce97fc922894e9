"""The case table: one row per image, with its label, its group and the split it may bring along.

Every source of images ends here, and nothing behind the table asks where the images came from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from keras_radtl.config import UserError

PARTS = ("train", "val", "test")  # the parts of a split, in the order of the flow
NO_GROUPS = "none"  # `group_source`: no patient or exam is known
GROUPS_OFF = "off"  # `group_source`: the user asked to split without groups


@dataclass(frozen=True)
class Rejected:
    """One file or row that was left out, and why."""

    path: str
    reason: str


@dataclass(frozen=True, eq=False)
class CaseTable:
    """The cases of a data set, in the order of its source.

    Attributes:
        name: short name of the data set, for titles.
        root: folder that `paths` are relative to; None when the images are arrays.
        cases: unique ids: the path without suffix where that is unique, else the path.
        paths: relative, with "/" ("train/000017" for arrays).
        groups: patient or exam of each case; the case itself where none is known.
        classes: class names in target order; binary: (negative, positive).
        targets: int32 (n,) class index, -1 unknown; multi-label: float32 (n, n_labels) of 0, 1 and NaN (unknown).
        multilabel: whether a case may have several labels.
        given: the splits that the data bring along, one per fold: for each case "train", "val", "test", or "" when
            the fold leaves it out. A fold without any "val" gets one drawn from its "train".
        labels: label of each case as the source spells it, before `positive` joins classes.
        pixels: uint8 images (h, w) or (h, w, 3) when they are arrays.
        masks: lesion masks of phantoms, uint8 0 or 1.
        group_source: how groups were found ("column patient"), `NO_GROUPS` or `GROUPS_OFF`.
        notes: sentences for the user.
        rejected: what the source left out because the user allowed it.
    """

    name: str
    root: Path | None
    cases: tuple[str, ...]
    paths: tuple[str, ...]
    groups: tuple[str, ...]
    classes: tuple[str, ...]
    targets: np.ndarray
    multilabel: bool = False
    given: tuple[tuple[str, ...], ...] = ()
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
        for fold, parts in enumerate(self.given):
            if len(parts) != n or not set(parts) <= {*PARTS, ""}:
                raise ValueError(f"`given[{fold}]` must hold {n} of train, val, test and ''. Received: {set(parts)}")
        if len(set(self.cases)) != n:
            twice = next(case for case, count in Counter(self.cases).items() if count > 1)
            raise ValueError(f"`cases` must be unique. Received twice: {twice!r}")
        _check_targets(self.targets, len(self.classes), self.multilabel)

    def __len__(self) -> int:
        return len(self.cases)

    @property
    def positive(self) -> str | None:
        """Name of the positive class of a binary task, else None."""
        return self.classes[1] if len(self.classes) == 2 and not self.multilabel else None

    def take(self, indices: Sequence[int] | np.ndarray) -> CaseTable:
        """Return the table of these rows, in this order; the classes stay.

        Args:
            indices: int array of shape (m,), row numbers.
        """
        rows = [int(i) for i in indices]
        changes = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("cases", "paths", "groups", "labels"):
                changes[field.name] = tuple(value[i] for i in rows) if value else value
            elif field.name == "given":
                changes[field.name] = tuple(tuple(parts[i] for i in rows) for parts in value)
            elif field.name in ("targets", "pixels", "masks") and isinstance(value, np.ndarray):
                changes[field.name] = value[rows]
            elif field.name in ("pixels", "masks") and value is not None:
                changes[field.name] = [value[i] for i in rows]
        return replace(self, **changes)

    def with_notes(self, *notes: str) -> CaseTable:
        """Return the table with sentences for the user added."""
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
    """Return a unique id for each of the unique relative `paths`: without suffix where that is unique."""
    stems = [_without_suffix(path) for path in paths]
    count = Counter(stems)
    names = tuple(stem if count[stem] == 1 else path for stem, path in zip(stems, paths, strict=True))
    return names if len(set(names)) == len(names) else tuple(paths)


def _without_suffix(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    stem = name.rpartition(".")[0]
    return folder + slash + (stem or name)


def sort_classes(names: Sequence[str]) -> tuple[str, ...]:
    """Return the distinct class names sorted, whole numbers by value.

    Raises:
        UserError: when two names differ only in case or when there are fewer than two.
    """
    distinct = set(names)
    folded = Counter(name.casefold() for name in distinct)
    alike = sorted(name for name in distinct if folded[name.casefold()] > 1)
    if alike:
        raise UserError(f"Class names that differ only in upper and lower case: {', '.join(alike)}")
    if len(distinct) < 2:
        raise UserError(f"At least two classes are needed. Found: {', '.join(distinct) or 'none'}")
    numbers = all(name.isascii() and name.isdigit() for name in distinct)
    return tuple(sorted(distinct, key=(lambda name: (int(name), name)) if numbers else None))


def encode_labels(labels: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """Return the int32 (n,) class index of each label."""
    index = {name: i for i, name in enumerate(classes)}
    return np.array([index[label] for label in labels], np.int32)


def with_positive(table: CaseTable, positive: str | None) -> CaseTable:
    """Return the table as the binary task `positive` against the rest; unchanged when `positive` is None.

    The negative class keeps its name when it is the only other one, else it is called "other".

    Raises:
        UserError: when the task has several labels per case or no class of that name.
    """
    if positive is None:
        return table
    if table.multilabel:
        raise UserError("`positive` is for tasks with one label per case. This one has several")
    if positive not in table.classes:
        raise UserError(f"`positive` must be one of {', '.join(table.classes)}. Received: positive={positive!r}")
    rest = [name for name in table.classes if name != positive]
    negative = rest[0] if len(rest) == 1 else ("not " + positive if positive == "other" else "other")
    place = table.classes.index(positive)
    targets = np.where(table.targets < 0, -1, table.targets == place).astype(np.int32)
    labels = table.labels or tuple(table.classes[t] if t >= 0 else "" for t in table.targets)
    return replace(table, classes=(negative, positive), targets=targets, labels=labels)
