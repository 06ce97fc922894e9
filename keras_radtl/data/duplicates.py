"""Find identical images, identical images with different labels, and near duplicates.

Two images are identical if their decoded pixels have the same SHA-256. Identical images are kept in the same part of
every split. If their labels differ, they are excluded by default. Near duplicates (a rescan, another crop, a burned-in
annotation) are only reported: the user decides with `groups` whether similar images belong to the same patient.
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
    """A case table without unreadable images and, by default, without label conflicts.

    Attributes:
        table: The cases in use.
        indices: int64 array of shape (n,), the row of each case in `Images.pixels`.
        hashes: Pixel hash of each case.
        clusters: int64 array of shape (n,), cluster numbers; identical images have equal numbers.
        rejected: Unreadable files and images excluded for a label conflict, with the reasons.
    """

    table: CaseTable
    indices: np.ndarray
    hashes: tuple[str, ...]
    clusters: np.ndarray
    rejected: tuple[Rejected, ...]


def find_duplicates(hashes: Sequence[str]) -> np.ndarray:
    """Return int64 cluster numbers of shape (n,): equal for equal hashes, numbered in order of first appearance."""
    number: dict[str, int] = {}
    return np.array([number.setdefault(digest, len(number)) for digest in hashes], np.int64)


def duplicate_clusters(clusters: np.ndarray) -> list[tuple[int, ...]]:
    """Return the rows of each cluster with at least two images, in order of first appearance."""
    members: dict[int, list[int]] = {}
    for row, cluster in enumerate(clusters.tolist()):
        members.setdefault(cluster, []).append(row)
    return [tuple(rows) for rows in members.values() if len(rows) > 1]


def label_conflicts(table: CaseTable, clusters: np.ndarray) -> list[tuple[int, ...]]:
    """Return the rows of each cluster of identical images whose known targets differ.

    Args:
        table: The cases.
        clusters: int array of shape (n,) from `find_duplicates`.
    """
    targets = table.targets.reshape(len(table), -1).astype(float)
    targets = np.where(targets < 0, np.nan, targets)
    conflicts = []
    for rows in duplicate_clusters(clusters):
        values = targets[list(rows)]
        known = ~np.isnan(values)
        low = np.where(known, values, np.inf).min(axis=0)
        high = np.where(known, values, -np.inf).max(axis=0)
        if (high > low).any():
            conflicts.append(rows)
    return conflicts


def resolve(table: CaseTable, images: Images, on_label_conflict: str) -> Resolved:
    """Exclude unreadable images and handle identical images with different labels.

    Args:
        table: The table that `images` were loaded from.
        images: The images and their hashes.
        on_label_conflict: "drop" excludes every image of a conflict, "keep" keeps all, "error" raises.

    Raises:
        UserError: If there is a conflict and `on_label_conflict` is "error".
    """
    require(
        on_label_conflict in ("drop", "keep", "error"), "on_label_conflict", "drop, keep or error", on_label_conflict
    )
    table = table.take(images.kept)
    clusters = find_duplicates(images.hashes)
    conflicts = label_conflicts(table, clusters)
    reasons = ["identical images with different labels: " + _list_cluster(table, rows) for rows in conflicts]
    if reasons and on_label_conflict == "error":
        more = f" ({len(reasons) - 1} more)" if len(reasons) > 1 else ""
        raise UserError(f"{reasons[0][0].upper()}{reasons[0][1:]}{more}. `on_label_conflict='drop'` excludes them")
    dropped: dict[int, str] = {}
    for rows, reason in zip(conflicts, reasons, strict=True):
        logger.warning("%s: %s", "kept" if on_label_conflict == "keep" else "excluded", reason)
        if on_label_conflict == "drop":
            dropped |= dict.fromkeys(rows, reason)
    rows = np.array([row for row in range(len(table)) if row not in dropped], np.int64)
    rejected = tuple(Rejected(table.paths[row], reason) for row, reason in dropped.items())
    hashes = tuple(images.hashes[row] for row in rows)
    return Resolved(
        table.take(rows), rows, hashes, find_duplicates(hashes), table.rejected + images.rejected + rejected
    )


def _list_cluster(table: CaseTable, rows: Sequence[int]) -> str:
    return " = ".join(f"{table.paths[row]} [{table.label_text(row)}]" for row in rows)


def perceptual_hashes(pixels: np.ndarray) -> np.ndarray:
    """Return a 64-bit perceptual hash of each image; images that look alike differ in few bits.

    Each image is converted to grey and resized to 32x32 pixels. Each bit tells whether one of the 8x8 lowest
    coefficients of its discrete cosine transform is above their median. The constant term is not used; its bit is 0.

    Args:
        pixels: uint8 array of shape (n, height, width, 1 or 3).

    Returns:
        uint64 array of shape (n,).

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
    """Return pairs of images that look alike but are not identical.

    Args:
        hashes: uint64 array of shape (n,) from `perceptual_hashes`.
        clusters: int array of shape (n,) from `find_duplicates`. Only the first image of each cluster is compared.
        distance: Largest number of bits that may differ.

    Returns:
        List of (row, row, number of differing bits), fewest bits first.
    """
    rows = np.unique(clusters, return_index=True)[1]
    pairs = []
    for position, row in enumerate(rows[:-1]):
        others = rows[position + 1 :]
        bits = np.bitwise_count(hashes[row] ^ hashes[others])
        pairs += [(int(row), int(others[i]), int(bits[i])) for i in np.flatnonzero(bits <= distance)]
    return sorted(pairs, key=lambda pair: (pair[2], pair))
