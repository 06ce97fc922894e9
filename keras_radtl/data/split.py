"""Divide a case table into train, validation and test, or into k folds, without ever dividing a group.

Groups (patients, exams) and clusters of identical images are joined, and each joined unit goes to one part as a whole.
Ties are decided by a hash of seed and case name: the same cases with the same seed get the same split, in whatever
order they are listed.

A split that the data bring along is taken as it is, but a group that stands in two of its parts is an error: the test
figures would be too good. Of identical images in several parts only those in test stay, else those in val; the others
are in no part of that split, with a warning. Splitting without groups must be asked for by name (`groups` = none): then
nothing of that is done to a given split. One without validation cases gets them drawn from its training cases.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from keras_radtl.config import SplitConfig, UserError
from keras_radtl.data.duplicates import clusters_of_several
from keras_radtl.data.stratify import assign
from keras_radtl.data.table import GROUPS_OFF, PARTS, CaseTable

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Split:
    """One division of the cases.

    Attributes:
        fold: 0 for the only split, 1 to k for k folds.
        train: sorted int64 (m,) row numbers; `val` and `test` likewise.
    """

    fold: int
    train: np.ndarray
    val: np.ndarray
    test: np.ndarray


def make_splits(
    table: CaseTable, clusters: np.ndarray, config: SplitConfig, use_given: bool, seed: int
) -> tuple[Split, ...]:
    """Return the one split, or the k splits of k folds.

    Args:
        table: the cases.
        clusters: int (n,), equal numbers for identical images.
        config: ratios or number of folds.
        use_given: take the split that the data bring along, when they do.
        seed: decides ties.
    Returns:
        Splits whose parts are disjoint, hold every class and never divide a group or a cluster. For k folds, fold f
        is the test part of split f, and validation is drawn from the rest.
    Raises:
        UserError: when that is not possible, naming the class, group or image.
    """
    units = merge_groups(table.groups, clusters)
    if use_given and table.given:
        splits = _given_splits(table, clusters, units, config, seed)
    elif config.folds is None:
        ratios = (config.train, config.val, config.test)
        parts = _divide(table, units, np.arange(len(table)), ratios, f"{seed}")
        splits = (Split(0, *(np.flatnonzero(parts == p) for p in range(3))),)
    else:
        folds = _divide(table, units, np.arange(len(table)), [1 / config.folds] * config.folds, f"{seed}")
        splits = tuple(
            _with_val(table, units, f + 1, np.flatnonzero(folds != f), np.flatnonzero(folds == f), config, seed)
            for f in range(config.folds)
        )
    for split in splits:
        _check_parts(table, split)
    return splits


def merge_groups(groups: Sequence[str], clusters: np.ndarray) -> np.ndarray:
    """Join groups that share a cluster, and clusters that share a group.

    Args:
        groups: group of each case.
        clusters: int (n,) cluster of each case.
    Returns:
        int64 (n,): equal numbers for cases that must stay together, the row number of the first of them.
    """
    parent = list(range(len(groups)))

    def find(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for labels in (groups, np.asarray(clusters).tolist()):
        first: dict = {}
        for i, label in enumerate(labels):
            a, b = sorted((find(first.setdefault(label, i)), find(i)))
            parent[b] = a
    return np.array([find(i) for i in range(len(parent))], np.int64)


def _divide(table: CaseTable, units: np.ndarray, rows: np.ndarray, ratios: Sequence[float], seed: str) -> np.ndarray:
    """Return the part of each of `rows`, an int array of the same length."""
    members: dict[int, list[int]] = {}
    for row in rows.tolist():
        members.setdefault(int(units[row]), []).append(row)
    strata = _strata(table)
    counts = [_sum(strata[row] for row in member) for member in members.values()]
    keys = [min(table.cases[i] for i in member) for member in members.values()]
    for index, name in enumerate(table.classes):
        holders = sum(1 for count in counts if count.get(index))
        if holders < len(ratios):
            raise UserError(
                f"Class `{name}` is in {holders} group(s), and each of {len(ratios)} parts must hold every class. "
                "Use fewer folds, or add cases of it"
            )
    parts = assign(counts, keys, ratios, range(len(table.classes)), not table.multilabel, seed)
    part_of = dict(zip(members, parts, strict=True))
    return np.array([part_of[unit] for unit in units[rows].tolist()], np.int64)


def _strata(table: CaseTable) -> list[dict[int, int]]:
    """Return what each case counts for: its class, or its known positive labels and, last, the number of cases."""
    if not table.multilabel:
        return [{target: 1} for target in table.targets.tolist()]
    every = {len(table.classes): 1}
    return [{**dict.fromkeys(np.flatnonzero(row == 1).tolist(), 1), **every} for row in table.targets]


def _sum(counts: Iterable[dict[int, int]]) -> dict[int, int]:
    total: dict[int, int] = {}
    for count in counts:
        for stratum, n in count.items():
            total[stratum] = total.get(stratum, 0) + n
    return total


def _with_val(table, units, fold: int, rest: np.ndarray, test: np.ndarray, config: SplitConfig, seed: int) -> Split:
    """Draw the validation cases of one fold from the cases that are not its test cases."""
    share = config.val / (config.train + config.val)
    parts = _divide(table, units, rest, (1 - share, share), f"{seed}:val:{fold}")
    return Split(fold, rest[parts == 0], rest[parts == 1], test)


def _given_splits(table, clusters, units, config: SplitConfig, seed: int) -> tuple[Split, ...]:
    if config.folds not in (None, len(table.given) if len(table.given) > 1 else None):
        raise UserError(
            f"The data bring {len(table.given)} given split(s) along, and {config.folds} folds are asked for. "
            "`--set data.given_split=false` makes new folds"
        )
    splits = []
    for number, given in enumerate(table.given):
        fold = number + 1 if len(table.given) > 1 else 0
        where = f"fold {fold} of the given split" if fold else "the given split"
        parts = np.array(given)
        if table.group_source != GROUPS_OFF:
            _refuse_divided_groups(table, parts, where)
            parts = _keep_images_apart(table, clusters, parts, where)
        train, val, test = (np.flatnonzero(parts == name) for name in PARTS)
        if not len(train) or not len(test):
            raise UserError(f"There is no {'test' if len(train) else 'train'} case in {where}")
        drawn = not len(val)
        split = _with_val(table, units, fold, train, test, config, seed) if drawn else Split(fold, train, val, test)
        splits.append(split)
    return tuple(splits)


def _refuse_divided_groups(table: CaseTable, parts: np.ndarray, where: str) -> None:
    first: dict[str, str] = {}
    for group, part in zip(table.groups, parts.tolist(), strict=True):
        if part and first.setdefault(group, part) != part:
            raise UserError(
                f"Group `{group}` ({table.group_source}) stands in {first[group]} and {part} of {where}. "
                "`--groups none` keeps that split as it is; `--set data.given_split=false` divides whole groups"
            )


def _keep_images_apart(table: CaseTable, clusters: np.ndarray, parts: np.ndarray, where: str) -> np.ndarray:
    """Take identical images out of all parts but the one that is tested most: test, else val."""
    left_out = []
    parts = parts.copy()
    for rows in map(list, clusters_of_several(clusters)):
        held = [part for part in reversed(PARTS) if part in parts[rows]]
        left_out += [row for row in rows if parts[row] in held[1:]]
    if left_out:
        counts = ", ".join(f"{count} of {part}" for part in PARTS if (count := (parts[left_out] == part).sum()))
        first = table.paths[left_out[0]]
        logger.warning("left out: %s, identical to images in another part of %s (first: %s)", counts, where, first)
        parts[left_out] = ""
    return parts


def _check_parts(table: CaseTable, split: Split) -> None:
    where = f" of fold {split.fold}" if split.fold else ""
    for name in PARTS:
        rows = getattr(split, name)
        if table.multilabel:
            present = np.flatnonzero(np.nansum(table.targets[rows], axis=0))
        else:
            present = np.unique(table.targets[rows])
        missing = [label for i, label in enumerate(table.classes) if i not in present]
        if missing:
            raise UserError(f"The {name} part{where} ({len(rows)} cases) holds no case of class `{missing[0]}`")


def split_rows(table: CaseTable, splits: Sequence[Split]) -> list[tuple[str, ...]]:
    """Return the rows of split.csv, the header first, sorted by case.

    Columns: case, path, group, label, then `split` for one split or `fold_1` ... `fold_k`, each with train, val, test
    or nothing. Sorted, so that the same split has the same rows in whatever order the cases were listed.
    """
    columns = []
    for split in splits:
        parts = np.full(len(table), "", "<U5")
        for name in PARTS:
            parts[getattr(split, name)] = name
        columns.append(parts.tolist())
    names = ["split"] if len(splits) == 1 else [f"fold_{split.fold}" for split in splits]
    labels = table.labels or tuple(table.classes[t] if t >= 0 else "" for t in table.targets)
    body = zip(table.cases, table.paths, table.groups, labels, *columns, strict=True)
    return [("case", "path", "group", "label", *names), *sorted(body)]


def split_hash(table: CaseTable, splits: Sequence[Split]) -> str:
    """Return the SHA-256 of the rows of split.csv, in hexadecimal."""
    text = "\n".join("\x1f".join(row) for row in split_rows(table, splits))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
