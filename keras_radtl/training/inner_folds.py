"""The inner folds of an exact fit: stratified, without dividing a group or identical images."""

from __future__ import annotations

import hashlib

import numpy as np

from keras_radtl.config import UserError, require
from keras_radtl.data.dataset import Dataset
from keras_radtl.data.duplicates import find_duplicates
from keras_radtl.data.split import Split, assign_folds, merge_groups
from keras_radtl.data.table import CaseTable
from keras_radtl.training.plan import Plan


def learned_parts(plan: Plan) -> tuple[str, ...]:
    """Return the parts of a split on which an exact fit learns: not `val` if it selects an epoch or a penalty."""
    return ("train", "val") if plan.strategy.held_out else ("train",)


def require_inner_folds(plan: Plan, dataset: Dataset) -> None:
    """Refuse data that cannot be divided into inner folds, if the plan needs them.

    Raises:
        UserError: Naming the class, and the fold if there are folds.
    """
    if plan.folds_needed:
        for split in dataset.splits:
            inner_folds(plan, dataset, split)


def inner_folds(plan: Plan, dataset: Dataset, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Return the cases on which the probe is fitted and their inner folds.

    Args:
        plan: The plan of the run.
        dataset: The dataset.
        split: One of its splits.
    Returns:
        Row numbers, sorted int64 of shape (n,), and numbers in [0, `inner_folds`), int64 of shape (n,).
    Raises:
        UserError: If a class is in fewer groups than there are inner folds, or an inner fold lacks a class.
    """
    table, count = dataset.cases, plan.training.inner_folds
    cases = np.sort(np.concatenate([getattr(split, name) for name in learned_parts(plan)]))
    where = f" of fold {split.fold}" if split.fold else ""
    units = merge_groups(table.groups, find_duplicates([_digest(image) for image in dataset.pixels]))
    for name, rows in zip(table.classes, _members(table, cases), strict=True):
        groups = len(np.unique(units[cases[rows]]))
        rule = f"at most {groups}, the number of groups with class `{name}` in the training cases{where}"
        require(groups >= count, "inner_folds", rule, count)
    folds = assign_folds(table, units, cases, count, f"{plan.split_seed}:inner:{split.fold}")
    _require_classes(table, cases, folds, where)
    return cases, folds


def _members(table: CaseTable, cases: np.ndarray) -> list[np.ndarray]:
    """Return for each class the positions of its cases."""
    targets = table.targets[cases]
    return [np.flatnonzero(targets[:, i] == 1 if table.multilabel else targets == i) for i in range(len(table.classes))]


def _require_classes(table: CaseTable, cases: np.ndarray, folds: np.ndarray, where: str) -> None:
    for number in np.unique(folds):
        for name, rows in zip(table.classes, _members(table, cases), strict=True):
            if not (folds[rows] == number).any():
                raise UserError(
                    f"Inner fold {number + 1}{where} has no case of class `{name}`: use fewer `inner_folds`, or "
                    "another `split.seed`"
                )
        if table.multilabel:
            rest = table.targets[cases[folds != number]]
            for name, column in zip(table.classes, rest.T, strict=True):
                if not (column == 0).any():
                    raise UserError(
                        f"Without inner fold {number + 1}{where}, no case is known to lack label `{name}`: use fewer "
                        "`inner_folds`"
                    )


def _digest(image: np.ndarray) -> str:
    return hashlib.blake2b(np.ascontiguousarray(image), digest_size=16).hexdigest()
