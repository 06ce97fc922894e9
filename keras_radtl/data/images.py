"""Load all images of a table: decode, hash and resize each image once, and store it as uint8.

See `keras_radtl.data.decode` for the file formats and how their pixels are converted.
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

CHUNK = 64  # images decoded ahead of the store
MAX_ASPECT_RATIO = 16  # `crop` cuts longer images to this ratio before it resizes them


@dataclass(frozen=True, eq=False)
class Images:
    """The images of a table, resized to one size.

    Attributes:
        pixels: Read-only uint8 array of shape (n, size, size, 1 or 3), in memory or memory-mapped.
        hashes: SHA-256 of the pixels and the shape of each decoded image, before resizing.
        rejected: Files that could not be used, with the reasons.
        kept: int64 array of shape (n,), the row of each image in the table.
        notes: Messages for the user.
    """

    pixels: np.ndarray
    hashes: tuple[str, ...]
    rejected: tuple[Rejected, ...]
    kept: np.ndarray
    notes: tuple[str, ...] = ()


def resize_image(image: np.ndarray, size: int, mode: str = "stretch", side: int | None = None) -> np.ndarray:
    """Resize an image to a square.

    Args:
        image: uint8 array of shape (height, width) or (height, width, 3).
        size: Height and width of the result in pixels.
        mode: "stretch" ignores the aspect ratio, "crop" resizes the shorter side to `side` and crops the centre, "pad"
            resizes the longer side to `size` and pads with black.
        side: Length of the shorter side for "crop" in pixels, at least `size`. None means size * 256 / 224.

    Returns:
        uint8 array of shape (size, size) or (size, size, 3).

    Raises:
        UserError: If `mode` is unknown or `side` is below `size`.
    """
    height, width = image.shape[:2]
    if mode == "stretch":
        return _resize(image, size, size)
    if mode == "crop":
        side = round(size * 256 / 224) if side is None else side
        require(side >= size, "resize_side", f"at least image_size ({size})", side)
        longest = MAX_ASPECT_RATIO * min(height, width)
        image = _crop_centre(image, longest, longest)
        height, width = image.shape[:2]
        scale = side / min(height, width)
        return _crop_centre(
            _resize(image, max(side, round(height * scale)), max(side, round(width * scale))), size, size
        )
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
    shrinks = height <= image.shape[0] and width <= image.shape[1]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _crop_centre(image: np.ndarray, height: int, width: int) -> np.ndarray:
    top, left = max(0, (image.shape[0] - height) // 2), max(0, (image.shape[1] - width) // 2)
    return image[top : top + height, left : left + width]


def equalize(image: np.ndarray, clip_limit: float) -> np.ndarray:
    """Apply contrast-limited adaptive histogram equalization (CLAHE) with 8 x 8 tiles.

    For a colour image, only the lightness in CIELAB is equalized, so that hues are preserved.

    Args:
        image: uint8 array of shape (height, width) or (height, width, 3).
        clip_limit: Clip limit above 0, in multiples of the mean bin height of a tile's histogram.

    Returns:
        uint8 array of the same shape.

    Reference:
        Zuiderveld, Contrast Limited Adaptive Histogram Equalization, Graphics Gems IV, 1994.
    """
    import cv2

    equalizer = cv2.createCLAHE(clip_limit, (8, 8))
    if image.ndim == 2:
        return equalizer.apply(image)
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    lab[:, :, 0] = equalizer.apply(lab[:, :, 0])
    return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)


def pixel_hash(image: np.ndarray) -> str:
    """Return the hexadecimal SHA-256 of the pixels and the shape of a uint8 image."""
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
    """Decode, hash and resize every image once, and convert all to the same number of channels.

    Args:
        table: The cases, with files or arrays.
        config: Window, resize mode, channels, size limit, and how to handle unusable images.
        image_size: Height and width of the resized images in pixels.
        cache_folder: Folder for the pixels when they need more than `memory_limit`.
        progress: Called with (images done, images in total).
        memory_limit: Bytes. None means a quarter of the physical memory.

    Returns:
        The `Images`.

    Raises:
        UserError: If an image cannot be used and `config.on_bad_image` is "error", if no image can be used, if the
            pixels need more than `memory_limit` and there is no cache folder, or if the disk is full.
    """
    limit = default_memory_limit() if memory_limit is None else memory_limit
    channels = {"grey": 1, "rgb": 3, "auto": None}[config.channels]
    store = PixelStore(len(table), image_size, channels, limit, cache_folder)
    hashes, rejected, kept, constant = [], [], [], []
    try:
        for row, result in enumerate(_prepare_all(table, config, image_size)):
            if isinstance(result, ImageError):
                if config.on_bad_image == "error":
                    hint = "`on_bad_image='skip'` excludes such files"
                    raise UserError(f"Cannot use image {table.paths[row]}: {result}. {hint}")
                rejected.append(Rejected(table.paths[row], str(result)))
            else:
                digest, is_constant, image = result
                store.append(image)
                hashes.append(digest)
                kept.append(row)
                constant += [table.cases[row]] * is_constant
            if progress is not None:
                progress(row + 1, len(table))
        if not kept:
            first = f"{rejected[0].path}: {rejected[0].reason}"
            raise UserError(f"No image can be used. Images: {len(table)}. First: {first}")
        pixels = store.finish()
    except BaseException:
        store.discard()
        raise
    notes = (f"images with a single pixel value: {len(constant)} (first: {constant[0]})",) if constant else ()
    return Images(pixels, tuple(hashes), tuple(rejected), np.array(kept, np.int64), notes)


def _prepare_all(
    table: CaseTable, config: DataConfig, size: int
) -> Iterator[ImageError | tuple[str, bool, np.ndarray]]:
    """Yield for each row an `ImageError`, or the hash, whether the image is constant, and the resized pixels."""

    def prepare(row: int):
        try:
            return _prepare(table, row, config, size)
        except ImageError as error:
            return error

    workers = min(8, max(2, os.cpu_count() or 2))
    with warnings.catch_warnings(), ThreadPoolExecutor(workers) as pool:
        warnings.filterwarnings("ignore", module=r"PIL\b")  # about metadata; damaged pixels are an error
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
