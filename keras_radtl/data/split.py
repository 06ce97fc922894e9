"""Divide a case table into train, validation and test, or into k folds, without ever dividing a group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_radtl.config import SplitConfig
from keras_radtl.data.table import CaseTable


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
    """Return the one split, or the k splits of k folds."""
    raise NotImplementedError
