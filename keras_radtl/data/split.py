"""Split a case table into train, validation and test, or into k folds, without dividing a group.

Groups (patients, exams) that share an identical image are merged into one unit, and each unit is assigned to one part
as a whole. Ties are broken by a hash of the seed and the case id, so the same cases with the same seed get the same
split in any row order.

A split that the data define is used unchanged, with these exceptions:

- A group in two of its parts is an error, because the test metrics would be too optimistic.
- Identical images in several parts are kept only in test, or in val if none is in test. The others are excluded from
  that split with a warning.
- If the split has no validation cases, they are drawn from its training cases.

With `groups` set to "none", the first two do not apply.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from keras_radtl.config import SplitConfig, UserError
from keras_radtl.data.duplicates import duplicate_clusters
from keras_radtl.data.stratify import assign
from keras_radtl.data.table import GROUPS_OFF, PARTS, CaseTable

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Split:
    """The rows of the training, validation and test cases.

    Attributes:
        fold: 0 for a single split, 1 to k for k folds.
        train: Sorted int64 array of shape (n_train,), row numbers.
        val: Sorted int64 array of shape (n_val,), row numbers.
        test: Sorted int64 array of shape (n_test,), row numbers.
    """

    fold: int
    train: np.ndarray
    val: np.ndarray
    test: np.ndarray


def make_splits(
    table: CaseTable, clusters: np.ndarray, config: SplitConfig, use_predefined: bool, seed: int
) -> tuple[Split, ...]:
    """Return a single split, or one split for each of k folds.

    Args:
        table: The cases.
        clusters: int array of shape (n,), equal numbers for identical images.
        config: Ratios or number of folds.
        use_predefined: Whether to use the splits that the data define, if there are any.
        seed: Seed that breaks ties.

    Returns:
        Splits with disjoint parts, each with every class, that do not divide a group or a cluster. With k folds,
        fold f is the test part of split f, and its validation cases are drawn from the other folds.

    Raises:
        UserError: If no such split exists; the message names the class or group.
    """
    units = merge_groups(table.groups, clusters)
    if use_predefined and table.predefined_splits:
        splits = _predefined_splits(table, clusters, units, config, seed)
    elif config.folds is None:
        ratios = (config.train, config.val, config.test)
        parts = _assign_rows(table, units, np.arange(len(table)), ratios, f"{seed}")
        splits = (Split(0, *(np.flatnonzero(parts == p) for p in range(3))),)
    else:
        folds = _assign_rows(table, units, np.arange(len(table)), [1 / config.folds] * config.folds, f"{seed}")
        splits = tuple(
            _draw_validation(table, units, f + 1, np.flatnonzero(folds != f), np.flatnonzero(folds == f), config, seed)
            for f in range(config.folds)
        )
    for split in splits:
        _check_parts(table, split)
    return splits


def merge_groups(groups: Sequence[str], clusters: np.ndarray) -> np.ndarray:
    """Merge groups that share a cluster, and clusters that share a group, into units.

    Args:
        groups: Group of each case.
        clusters: int array of shape (n,), cluster of each case.

    Returns:
        int64 array of shape (n,): for each case the first row of its unit. Cases of a unit must stay together.
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


def _assign_rows(
    table: CaseTable, units: np.ndarray, rows: np.ndarray, ratios: Sequence[float], seed: str
) -> np.ndarray:
    """Return the part number of each of `rows` as an int64 array of the same length."""
    members: dict[int, list[int]] = {}
    for row in rows.tolist():
        members.setdefault(int(units[row]), []).append(row)
    strata = _strata(table)
    counts = [_sum(strata[row] for row in member) for member in members.values()]
    keys = [min(table.cases[i] for i in member) for member in members.values()]
    for index, name in enumerate(table.classes):
        holders = sum(1 for count in counts if count.get(index))
        if holders < len(ratios):
            found = f"{holders} {'group' if holders == 1 else 'groups'}"
            rule = f"each of {len(ratios)} parts needs at least one"
            raise UserError(f"Class `{name}` is in {found}, but {rule}. Use fewer folds or add cases")
    parts = assign(counts, keys, ratios, range(len(table.classes)), not table.multilabel, seed)
    part_of = dict(zip(members, parts, strict=True))
    return np.array([part_of[unit] for unit in units[rows].tolist()], np.int64)


def assign_folds(table: CaseTable, units: np.ndarray, rows: np.ndarray, folds: int, seed: str) -> np.ndarray:
    """Return the fold of some cases, stratified and without dividing a unit.

    Args:
        table: The cases.
        units: int array of shape (n,) from `merge_groups`.
        rows: int array of shape (m,), row numbers of the cases.
        folds: Number of folds.
        seed: Text that breaks ties.

    Returns:
        int64 array of shape (m,) of numbers in [0, folds). A fold may lack a class that too few units have.

    Raises:
        UserError: If a class is in fewer units than there are folds.
    """
    return _assign_rows(table, units, rows, [1 / folds] * folds, seed)


def _strata(table: CaseTable) -> list[dict[int, int]]:
    """Return the strata of each case, with count 1: its class, or its positive labels and a stratum of all cases."""
    if not table.multilabel:
        return [{target: 1} for target in table.targets.tolist()]
    all_cases = {len(table.classes): 1}
    return [{**dict.fromkeys(np.flatnonzero(row == 1).tolist(), 1), **all_cases} for row in table.targets]


def _sum(counts: Iterable[dict[int, int]]) -> dict[int, int]:
    total: dict[int, int] = {}
    for count in counts:
        for stratum, n in count.items():
            total[stratum] = total.get(stratum, 0) + n
    return total


def _draw_validation(
    table, units, fold: int, rest: np.ndarray, test: np.ndarray, config: SplitConfig, seed: int
) -> Split:
    """Draw the validation cases of one fold from `rest`, the rows that are not test cases."""
    share = config.val / (config.train + config.val)
    parts = _assign_rows(table, units, rest, (1 - share, share), f"{seed}:val:{fold}")
    return Split(fold, rest[parts == 0], rest[parts == 1], test)


def _predefined_splits(table, clusters, units, config: SplitConfig, seed: int) -> tuple[Split, ...]:
    count = len(table.predefined_splits)
    if config.folds not in (None, count if count > 1 else None):
        rule = f"None or {count}, the number of predefined folds" if count > 1 else "None for data with one split"
        raise UserError(
            f"`folds` must be {rule}. Received: folds={config.folds}. `data.given_split=False` makes new folds"
        )
    splits = []
    for number, part_of in enumerate(table.predefined_splits):
        fold = number + 1 if count > 1 else 0
        where = f"fold {fold} of the predefined split" if fold else "the predefined split"
        parts = np.array(part_of)
        if table.group_source != GROUPS_OFF:
            _refuse_divided_groups(table, parts, where)
            parts = _exclude_cross_part_duplicates(table, clusters, parts, where)
        train, val, test = (np.flatnonzero(parts == name) for name in PARTS)
        if not len(train) or not len(test):
            raise UserError(f"There is no {'test' if len(train) else 'train'} case in {where}")
        if len(val):
            splits.append(Split(fold, train, val, test))
        else:
            splits.append(_draw_validation(table, units, fold, train, test, config, seed))
    return tuple(splits)


def _refuse_divided_groups(table: CaseTable, parts: np.ndarray, where: str) -> None:
    first: dict[str, str] = {}
    for group, part in zip(table.groups, parts.tolist(), strict=True):
        if part and first.setdefault(group, part) != part:
            raise UserError(
                f"Group `{group}` ({table.group_source}) is in both {first[group]} and {part} of {where}. "
                "`groups='none'` uses that split unchanged; `data.given_split=False` makes a new split by group"
            )


def _exclude_cross_part_duplicates(table: CaseTable, clusters: np.ndarray, parts: np.ndarray, where: str) -> np.ndarray:
    """Keep identical images only in test or, if none is in test, in val; return the new parts."""
    excluded = []
    parts = parts.copy()
    for rows in map(list, duplicate_clusters(clusters)):
        held = [part for part in reversed(PARTS) if part in parts[rows]]
        excluded += [row for row in rows if parts[row] in held[1:]]
    if excluded:
        counts = ", ".join(f"{count} of {part}" for part in PARTS if (count := (parts[excluded] == part).sum()))
        first = table.paths[excluded[0]]
        logger.warning("excluded: %s, identical to images in another part of %s (first: %s)", counts, where, first)
        parts[excluded] = ""
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
            count = f"{len(rows)} {'case' if len(rows) == 1 else 'cases'}"
            raise UserError(f"The {name} part{where} ({count}) has no case of class `{missing[0]}`")


def split_rows(table: CaseTable, splits: Sequence[Split]) -> list[tuple[str, ...]]:
    """Return the rows of split.csv: the header, then one row per case, sorted by case.

    The columns are case, path, group, label, and `split` for a single split or `fold_1` ... `fold_k` for k folds. Their
    values are train, val, test or empty (in no part). The rows do not depend on the order of the cases in `table`.
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
    """Return the hexadecimal SHA-256 of the rows of split.csv."""
    text = "\n".join("\x1f".join(row) for row in split_rows(table, splits))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
