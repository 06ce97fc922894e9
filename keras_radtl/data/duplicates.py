"""Find identical images, identical images with different labels, and near duplicates.

Identical means: the same decoded pixels (SHA-256). Such images are kept on one side of every split, and those with
contradicting labels are left out unless the user decides otherwise. Near duplicates (a rescan, another crop, a mark
burned in) are reported only: whether two similar images show one patient is for the user to say, by `groups`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_radtl.config import UserError, require
from keras_radtl.data.images import Images
from keras_radtl.data.table import CaseTable, Rejected

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Resolved:
    """What is left of a table and its images after bad and contradicting ones are gone.

    Attributes:
        table: the cases that are used.
        indices: int64 (n,) their rows in `Images.pixels`.
        hashes: pixel hash of each case.
        clusters: int64 (n,), equal numbers for identical images.
        rejected: files that could not be read, and images with contradicting labels.
    """

    table: CaseTable
    indices: np.ndarray
    hashes: tuple[str, ...]
    clusters: np.ndarray
    rejected: tuple[Rejected, ...]


def find_duplicates(hashes: Sequence[str]) -> np.ndarray:
    """Return int64 (n,) cluster numbers, equal for equal hashes, counted by first appearance."""
    number: dict[str, int] = {}
    return np.array([number.setdefault(digest, len(number)) for digest in hashes], np.int64)


def clusters_of_several(clusters: np.ndarray) -> list[tuple[int, ...]]:
    """Return the rows of each cluster that has more than one, in order of first appearance."""
    members: dict[int, list[int]] = {}
    for row, cluster in enumerate(clusters.tolist()):
        members.setdefault(cluster, []).append(row)
    return [tuple(rows) for rows in members.values() if len(rows) > 1]


def label_conflicts(table: CaseTable, clusters: np.ndarray) -> list[tuple[int, ...]]:
    """Return the rows of each cluster of identical images whose known targets contradict each other.

    Args:
        table: the cases.
        clusters: int (n,) from `find_duplicates`.
    """
    targets = table.targets.reshape(len(table), -1).astype(float)
    targets = np.where(targets < 0, np.nan, targets)
    conflicts = []
    for rows in clusters_of_several(clusters):
        values = targets[list(rows)]
        known = ~np.isnan(values)
        low = np.where(known, values, np.inf).min(axis=0)
        high = np.where(known, values, -np.inf).max(axis=0)
        if (high > low).any():
            conflicts.append(rows)
    return conflicts


def resolve(table: CaseTable, images: Images, on_label_conflict: str) -> Resolved:
    """Leave out the images that could not be read and, by default, those with contradicting labels.

    Args:
        table: the table that `images` were loaded from.
        images: the images and their hashes.
        on_label_conflict: "drop" leaves every image of a conflict out, "keep" keeps all, "error" refuses.
    Raises:
        UserError: for a conflict, when it is to be an error.
    """
    require(
        on_label_conflict in ("drop", "keep", "error"), "on_label_conflict", "drop, keep or error", on_label_conflict
    )
    table = table.take(images.kept)
    clusters = find_duplicates(images.hashes)
    conflicts = label_conflicts(table, clusters)
    stories = ["identical images with different labels: " + _story(table, rows) for rows in conflicts]
    if stories and on_label_conflict == "error":
        more = f" ({len(stories) - 1} more)" if len(stories) > 1 else ""
        raise UserError(f"{stories[0][0].upper()}{stories[0][1:]}{more}. `--on-label-conflict drop` leaves them out")
    dropped: dict[int, str] = {}
    for rows, story in zip(conflicts, stories, strict=True):
        logger.warning("%s: %s", "kept" if on_label_conflict == "keep" else "left out", story)
        if on_label_conflict == "drop":
            dropped |= dict.fromkeys(rows, story)
    rows = np.array([row for row in range(len(table)) if row not in dropped], np.int64)
    rejected = tuple(Rejected(table.paths[row], story) for row, story in dropped.items())
    hashes = tuple(images.hashes[row] for row in rows)
    return Resolved(
        table.take(rows), rows, hashes, find_duplicates(hashes), table.rejected + images.rejected + rejected
    )


def _story(table: CaseTable, rows: Sequence[int]) -> str:
    return " = ".join(f"{table.paths[row]} [{label_text(table, row)}]" for row in rows)


def label_text(table: CaseTable, row: int) -> str:
    """Return the label of one case as its source spells it."""
    if table.labels:
        return table.labels[row] or "none"
    if table.multilabel:
        return ";".join(np.array(table.classes)[table.targets[row] == 1].tolist()) or "none"
    return table.classes[table.targets[row]] if table.targets[row] >= 0 else "unknown"


def perceptual_hashes(pixels: np.ndarray) -> np.ndarray:
    """Return a 64-bit hash of what each image looks like; small changes of size and grey values keep most bits.

    The image is brought to 32x32 grey; each bit says whether one of the lowest 8x8 coefficients of its cosine
    transform lies above their median (the constant term is left out, its bit is 0).

    Args:
        pixels: uint8 (n, h, w, 1 or 3).
    Returns:
        uint64 (n,).
    Reference:
        Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions (2010), section 3.2.1.
    """
    import cv2

    result = np.zeros(len(pixels), np.uint64)
    for row, image in enumerate(pixels):
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.shape[-1] == 3 else image[..., 0]
        small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
        low = cv2.dct(small)[:8, :8].ravel()[1:]
        bits = np.concatenate([[False], low > np.median(low)])
        result[row] = np.packbits(bits).view(">u8")[0]
    return result


def near_duplicates(hashes: np.ndarray, clusters: np.ndarray, distance: int = 2) -> list[tuple[int, int, int]]:
    """Return pairs of different images that look alike.

    Args:
        hashes: uint64 (n,) from `perceptual_hashes`.
        clusters: int (n,) from `find_duplicates`; identical images are no pair, and each cluster is looked at once.
        distance: largest number of differing bits.
    Returns:
        (row, row, differing bits), fewest bits first.
    """
    rows = np.unique(clusters, return_index=True)[1]
    pairs = []
    for place, row in enumerate(rows[:-1]):
        others = rows[place + 1 :]
        bits = np.bitwise_count(hashes[row] ^ hashes[others])
        pairs += [(int(row), int(others[i]), int(bits[i])) for i in np.flatnonzero(bits <= distance)]
    return sorted(pairs, key=lambda pair: (pair[2], pair))
