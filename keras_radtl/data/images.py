"""Read all images of a table once: decode, hash, bring to one size, keep as uint8.

How a file becomes pixels is told in `keras_radtl.data.decode`.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_radtl.config import DataConfig, UserError, require
from keras_radtl.data.decode import ImageError, collapse_grey, decode, read_image
from keras_radtl.data.pixel_store import PixelStore, default_memory_limit
from keras_radtl.data.table import CaseTable, Rejected

__all__ = ["Images", "equalize", "load_images", "pixel_hash", "read_image", "resize_image"]

CHUNK = 64  # images in flight between the decoding threads and the store
LONGEST = 16  # for `crop`: a longer strip is cut to this many times its shorter side before it is enlarged


@dataclass(frozen=True, eq=False)
class Images:
    """The images of a table at one size.

    Attributes:
        pixels: read-only uint8 (n, size, size, 1 or 3), in memory or mapped from a file.
        hashes: SHA-256 of the decoded pixels and their shape at full size.
        rejected: files that could not be used.
        kept: int64 (n,) rows of the table that were read.
        notes: sentences for the user.
    """

    pixels: np.ndarray
    hashes: tuple[str, ...]
    rejected: tuple[Rejected, ...]
    kept: np.ndarray
    notes: tuple[str, ...] = ()


def resize_image(image: np.ndarray, size: int, mode: str = "stretch", side: int | None = None) -> np.ndarray:
    """Bring an image to a square.

    Args:
        image: uint8 (h, w) or (h, w, 3).
        size: side of the result in pixels.
        mode: "stretch"; "crop" (shorter side to `side`, then the centre); "pad" (longer side to `size`, black around).
        side: for crop, in pixels, at least `size`; None: size * 256 / 224.
    Returns:
        uint8 (size, size) or (size, size, 3).
    """
    height, width = image.shape[:2]
    if mode == "stretch":
        return _resize(image, size, size)
    if mode == "crop":
        side = round(size * 256 / 224) if side is None else side
        require(side >= size, "resize_side", f"at least image_size ({size})", side)
        image = _centre(image, LONGEST * min(height, width), LONGEST * min(height, width))
        height, width = image.shape[:2]
        scale = side / min(height, width)
        return _centre(_resize(image, max(side, round(height * scale)), max(side, round(width * scale))), size, size)
    require(mode == "pad", "resize", "stretch, crop or pad", mode)
    scale = size / max(height, width)
    image = _resize(image, max(1, round(height * scale)), max(1, round(width * scale)))
    result = np.zeros((size, size, *image.shape[2:]), np.uint8)
    top, left = (size - image.shape[0]) // 2, (size - image.shape[1]) // 2
    result[top : top + image.shape[0], left : left + image.shape[1]] = image
    return result


def _resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    import cv2

    if image.shape[:2] == (height, width):
        return image
    smaller = height <= image.shape[0] and width <= image.shape[1]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


def _centre(image: np.ndarray, height: int, width: int) -> np.ndarray:
    top, left = max(0, (image.shape[0] - height) // 2), max(0, (image.shape[1] - width) // 2)
    return image[top : top + height, left : left + width]


def equalize(image: np.ndarray, clip_limit: float) -> np.ndarray:
    """Return an image of higher local contrast: adaptive histogram equalisation with limited contrast, 8 x 8 tiles.

    Of a colour image the lightness of CIELAB is equalised, so that hues stay.

    Args:
        image: uint8 (h, w) or (h, w, 3).
        clip_limit: above 0, in mean bin heights of a tile's histogram.
    Returns:
        uint8 array of the same shape.

    Reference: Zuiderveld, Contrast Limited Adaptive Histogram Equalization, Graphics Gems IV, 1994.
    """
    import cv2

    equalizer = cv2.createCLAHE(clip_limit, (8, 8))
    if image.ndim == 2:
        return equalizer.apply(image)
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    lab[:, :, 0] = equalizer.apply(lab[:, :, 0])
    return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)


def pixel_hash(image: np.ndarray) -> str:
    """Return the SHA-256 of the pixels and shape of a uint8 image, in hexadecimal."""
    digest = hashlib.sha256(repr(image.shape).encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


def load_images(
    table: CaseTable,
    config: DataConfig,
    image_size: int,
    cache_folder: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    memory_limit: int | None = None,
) -> Images:
    """Decode every image once, hash it and bring it to one size and number of channels.

    Args:
        table: the cases, with files or arrays.
        config: window, resize mode, channels, largest size, and what to do with a bad image.
        image_size: side of the results in pixels.
        cache_folder: where the pixels go when they exceed `memory_limit`.
        progress: called with (images done, images).
        memory_limit: bytes; None: a quarter of the physical memory.
    Raises:
        UserError: for a bad image (unless they are to be skipped), when none is left, or when the disk is full.
    """
    limit = default_memory_limit() if memory_limit is None else memory_limit
    channels = {"grey": 1, "rgb": 3, "auto": None}[config.channels]
    store = PixelStore(len(table), image_size, channels, limit, cache_folder)
    hashes, rejected, kept, constant = [], [], [], []
    try:
        for row, result in enumerate(_prepare_all(table, config, image_size)):
            if isinstance(result, ImageError):
                if config.on_bad_image == "error":
                    way = "`--on-bad-image skip` leaves such files out"
                    raise UserError(f"Cannot use image {table.paths[row]}: {result}. {way}")
                rejected.append(Rejected(table.paths[row], str(result)))
            else:
                digest, flat, image = result
                store.append(image)
                hashes.append(digest)
                kept.append(row)
                constant += [table.cases[row]] * flat
            if progress is not None:
                progress(row + 1, len(table))
        if not kept:
            raise UserError(
                f"None of the {len(table)} images can be used. First: {rejected[0].path}: {rejected[0].reason}"
            )
        pixels = store.finish()
    except BaseException:
        store.discard()
        raise
    notes = (f"images of a single grey value: {len(constant)} (first: {constant[0]})",) if constant else ()
    return Images(pixels, tuple(hashes), tuple(rejected), np.array(kept, np.int64), notes)


def _prepare_all(
    table: CaseTable, config: DataConfig, size: int
) -> Iterator[ImageError | tuple[str, bool, np.ndarray]]:
    """Yield, in table order, why an image is bad, or its hash, whether it is constant, and its resized pixels."""

    def prepare(row: int):
        try:
            return _prepare(table, row, config, size)
        except ImageError as error:
            return error

    workers = min(8, max(2, os.cpu_count() or 2))
    with warnings.catch_warnings(), ThreadPoolExecutor(workers) as pool:
        warnings.filterwarnings("ignore", module=r"PIL\b")  # on odd metadata; what harms the pixels is an error
        for start in range(0, len(table), CHUNK):
            yield from pool.map(prepare, range(start, min(start + CHUNK, len(table))))


def _prepare(table: CaseTable, row: int, config: DataConfig, size: int) -> tuple[str, bool, np.ndarray]:
    import cv2

    if table.pixels is not None:
        image = collapse_grey(np.asarray(table.pixels[row]))
    else:
        image = decode(table.root / table.paths[row], config.window, config.max_megapixels)
    digest, constant = pixel_hash(image), image.min() == image.max()
    if config.clahe:
        image = equalize(image, config.clahe)
    if config.channels == "grey" and image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)  # luminance, ITU-R BT.601
    return digest, bool(constant), resize_image(image, size, config.resize, config.resize_side)
