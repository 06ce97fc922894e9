"""From a configuration to a data set: read, decode, leave out what contradicts itself, split."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_radtl.config import Config
from keras_radtl.data.duplicates import clusters_of_several, resolve
from keras_radtl.data.images import load_images
from keras_radtl.data.pixel_store import select_rows
from keras_radtl.data.sources import read_table
from keras_radtl.data.split import Split, make_splits
from keras_radtl.data.table import CaseTable, Rejected

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Cases, pixels and splits, all by the same row numbers.

    Attributes:
        table: the cases that are used; its notes tell what the user should know.
        pixels: read-only uint8 (n, size, size, 1 or 3), in memory or mapped from a file.
        splits: one split, or one per fold.
        rejected: what was left out, and why.
        fingerprint: SHA-256 of cases, pixel hashes, targets and groups: equal for equal data.
    """

    table: CaseTable
    pixels: np.ndarray
    splits: tuple[Split, ...]
    rejected: tuple[Rejected, ...]
    fingerprint: str


def load_dataset(
    config: Config,
    image_size: int,
    cache_folder: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Read the data that a configuration names and divide them.

    Args:
        config: the whole configuration; its parts `data` and `split` and the seed of the split are used.
        image_size: side of the images in pixels.
        cache_folder: where the pixels go when they exceed a quarter of the memory.
        progress: called with (images done, images).
    Raises:
        UserError: for anything in the data or the options that the user can put right.
    """
    table = read_table(config.data)
    images = load_images(table, config.data, image_size, cache_folder, progress)
    resolved = resolve(table.with_notes(*images.notes), images, config.data.on_label_conflict)
    splits = make_splits(resolved.table, resolved.clusters, config.split, config.data.given_split, config.split_seed)
    table = resolved.table.with_notes(*_notes(resolved.clusters, splits, resolved.rejected))
    for note in table.notes:
        logger.info("%s", note)
    pixels = select_rows(images.pixels, resolved.indices)
    return Dataset(table, pixels, splits, resolved.rejected, fingerprint(table, resolved.hashes))


def _notes(clusters: np.ndarray, splits: Sequence[Split], rejected: Sequence[Rejected]) -> list[str]:
    notes = []
    unused = [len(clusters) - len(split.train) - len(split.val) - len(split.test) for split in splits]
    if any(unused):
        notes.append(f"cases in no part of the given split: {', '.join(map(str, unused))}")
    several = clusters_of_several(clusters)
    if several:
        notes.append(f"identical images kept on one side: {sum(map(len, several))} in {len(several)} clusters")
    if rejected:
        notes.append(f"images left out: {len(rejected)} (rejected.csv says why)")
    return notes


def fingerprint(table: CaseTable, hashes: Sequence[str]) -> str:
    """Return the SHA-256 over cases, pixel hashes, groups, classes and targets, in table order, in hexadecimal."""
    digest = hashlib.sha256(repr(table.classes).encode())
    for row in zip(table.cases, hashes, table.groups, strict=True):
        digest.update(repr(row).encode())
    digest.update(np.nan_to_num(table.targets, nan=-1).astype("<f4").tobytes())
    return digest.hexdigest()
