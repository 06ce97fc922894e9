"""Load a data set: read the cases, decode the images, exclude label conflicts and split."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_radtl.config import DataConfig, SplitConfig
from keras_radtl.data.duplicates import duplicate_clusters, resolve
from keras_radtl.data.images import load_images
from keras_radtl.data.pixel_store import select_rows
from keras_radtl.data.sources import read_table
from keras_radtl.data.split import Split, make_splits, split_rows
from keras_radtl.data.table import PARTS, CaseTable, Rejected

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Dataset:
    """The cases, pixels and splits of a data set; row i is the same case in all three.

    Attributes:
        cases: The cases in use. Its notes are messages for the user.
        pixels: Read-only uint8 array of shape (n, size, size, 1 or 3), in memory or memory-mapped.
        splits: One split, or one per fold.
        rejected: Files and rows that were excluded, each with the reason.
        fingerprint: SHA-256 of the cases, pixel hashes, groups, classes and targets; equal data have equal
            fingerprints.
    """

    cases: CaseTable
    pixels: np.ndarray
    splits: tuple[Split, ...]
    rejected: tuple[Rejected, ...]
    fingerprint: str

    @property
    def table(self) -> pd.DataFrame:
        """One row per case, sorted by case: path, group, label, and `split`, or `fold_1` to `fold_k`."""
        import pandas as pd

        columns, *rows = split_rows(self.cases, self.splits)
        return pd.DataFrame(rows, columns=list(columns)).set_index("case")

    def summary(self) -> pd.DataFrame:
        """Return the numbers of images and groups by class or label.

        Returns:
            DataFrame with one row per class and a row `total`; columns `images`, `groups` and, for one split, the
            images in `train`, `val` and `test`, for k folds the test images of each fold.
        """
        import pandas as pd

        targets, groups = self.cases.targets, np.asarray(self.cases.groups)
        members = [
            targets[:, i] == 1 if self.cases.multilabel else targets == i for i in range(len(self.cases.classes))
        ]
        rows = [*members, np.ones(len(self.cases), bool)]
        table = {"images": [int(row.sum()) for row in rows], "groups": [len(set(groups[row])) for row in rows]}
        for split in self.splits:
            parts = {f"fold_{split.fold}": split.test} if split.fold else {name: getattr(split, name) for name in PARTS}
            table |= {name: [int(row[indices].sum()) for row in rows] for name, indices in parts.items()}
        return pd.DataFrame(table, index=pd.Index([*self.cases.classes, "total"], name="class"))

    def __repr__(self) -> str:
        shape = " x ".join(str(n) for n in self.pixels.shape[1:])
        folds = "1 split" if len(self.splits) == 1 else f"{len(self.splits)} folds"
        return f"Dataset({self.cases.name!r}, {len(self.cases)} images of {shape}, {folds})"

    def _repr_html_(self) -> str:
        import html

        return f"<p>{html.escape(repr(self))}</p>{self.summary().to_html()}"


def load_dataset(
    data: DataConfig,
    split: SplitConfig,
    split_seed: int,
    image_size: int,
    cache_folder: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Read the cases and images of a data set, exclude label conflicts and split the cases.

    Args:
        data: Which images and labels to read, and how to decode them.
        split: Ratios or number of folds.
        split_seed: Seed that breaks ties in the split.
        image_size: Height and width of the resized images, in pixels.
        cache_folder: Folder for the pixels when they need more than a quarter of the physical memory.
        progress: Called with (images done, images in total).

    Returns:
        The `Dataset`.

    Raises:
        UserError: If the data or the options cannot be used; the message names the file, row or option.
    """
    table = read_table(data)
    images = load_images(table, data, image_size, cache_folder, progress)
    resolved = resolve(table.with_notes(*images.notes), images, data.on_label_conflict)
    splits = make_splits(resolved.table, resolved.clusters, split, data.given_split, split_seed)
    table = resolved.table.with_notes(*_notes(resolved.clusters, splits, resolved.rejected))
    for note in table.notes:
        logger.info("%s", note)
    pixels = select_rows(images.pixels, resolved.indices)
    return Dataset(table, pixels, splits, resolved.rejected, fingerprint(table, resolved.hashes))


def _notes(clusters: np.ndarray, splits: Sequence[Split], rejected: Sequence[Rejected]) -> list[str]:
    notes = []
    unused = [len(clusters) - len(split.train) - len(split.val) - len(split.test) for split in splits]
    if any(unused):
        notes.append(f"cases in no part of the predefined split: {', '.join(map(str, unused))}")
    duplicates = duplicate_clusters(clusters)
    if duplicates:
        count, noun = sum(map(len, duplicates)), "cluster" if len(duplicates) == 1 else "clusters"
        notes.append(f"identical images kept in the same part: {count} in {len(duplicates)} {noun}")
    if rejected:
        notes.append(f"images excluded: {len(rejected)} (reasons in rejected.csv)")
    return notes


def fingerprint(table: CaseTable, hashes: Sequence[str]) -> str:
    """Return the hexadecimal SHA-256 of cases, pixel hashes, groups, classes and targets, in table order."""
    digest = hashlib.sha256(repr(table.classes).encode())
    for row in zip(table.cases, hashes, table.groups, strict=True):
        digest.update(repr(row).encode())
    digest.update(np.nan_to_num(table.targets, nan=-1).astype("<f4").tobytes())
    return digest.hexdigest()
