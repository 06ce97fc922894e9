"""Store the resized uint8 images of a data set in memory, or in a file if they need too much memory."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import psutil

from keras_radtl.config import UserError

FILE_NAME = "pixels.u8"


def default_memory_limit() -> int:
    """Return a quarter of the physical memory in bytes."""
    return psutil.virtual_memory().total // 4


class PixelStore:
    """A growing array of square uint8 images.

    Args:
        count: Largest number of images.
        size: Height and width of the images in pixels.
        channels: 1 or 3. None means 1 until the first colour image is appended, then 3.
        memory_limit: Bytes. Larger arrays are stored in a file.
        folder: Folder of that file. None means that larger arrays are an error.
    """

    def __init__(self, count: int, size: int, channels: int | None, memory_limit: int, folder: Path | None):
        self._count, self._size, self._limit, self._folder = count, size, memory_limit, folder
        self._fixed = channels is not None
        self._open(channels or 1)

    def _open(self, channels: int) -> None:
        self._channels, self._done, self._array, self._file = channels, 0, None, None
        total = self._count * self._size**2 * channels
        if total <= self._limit:
            self._array = np.empty((self._count, self._size, self._size, channels), np.uint8)
        elif self._folder is None:
            raise UserError(
                f"{self._count} images of {self._size}x{self._size}x{channels} need {total / 2**30:.1f} GiB, more than "
                f"the memory limit of {self._limit / 2**30:.1f} GiB, and there is no cache folder"
            )
        else:
            self._file = _temporary(self._folder)

    def append(self, image: np.ndarray) -> None:
        """Append one image, a uint8 array of shape (size, size) or (size, size, 3).

        Raises:
            UserError: If the disk is full.
        """
        if image.ndim == 3 and self._channels == 1:
            if self._fixed:
                raise ValueError(f"`image` must be grey. Received: shape {image.shape}")
            self._widen()
        if image.ndim == 2:
            image = np.repeat(image[..., None], self._channels, axis=2)
        if self._array is not None:
            self._array[self._done] = image
        else:
            _write(self._file, np.ascontiguousarray(image))
        self._done += 1

    def _widen(self) -> None:
        """Convert the images so far to three channels."""
        old, file = self._view(), self._file
        self._open(3)
        for image in old:
            self.append(image[..., 0])
        if file is not None:
            file.close()
            os.unlink(file.name)

    def _view(self) -> np.ndarray:
        if self._array is not None:
            return self._array[: self._done]
        self._file.flush()
        return _map(self._file.name, (self._done, self._size, self._size, self._channels))

    def finish(self) -> np.ndarray:
        """Return the images as a read-only uint8 array of shape (n, size, size, channels), possibly memory-mapped."""
        if self._file is not None:
            return _commit(self._file, self._folder, (self._done, self._size, self._size, self._channels))
        pixels = self._view()
        pixels.flags.writeable = False
        return pixels

    def discard(self) -> None:
        """Remove the file if it is unfinished."""
        if self._file is not None and not self._file.closed:
            self._file.close()
            os.unlink(self._file.name)


def select_rows(pixels: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the selected images in the order of `rows`.

    The selection from a memory-mapped file is written to a new file, so that memory use stays limited.

    Args:
        pixels: Array returned by `PixelStore.finish`.
        rows: int array of shape (m,), row numbers.

    Returns:
        Read-only uint8 array of shape (m, size, size, channels), in memory or memory-mapped.
    """
    if len(rows) == len(pixels) and (np.asarray(rows) == np.arange(len(pixels))).all():
        return pixels
    if not isinstance(pixels, np.memmap):
        chosen = pixels[rows]
        chosen.flags.writeable = False
        return chosen
    folder = Path(pixels.filename).parent
    file = _temporary(folder)
    for row in rows:
        _write(file, pixels[row])
    return _commit(file, folder, (len(rows), *pixels.shape[1:]))


def _temporary(folder: Path):
    folder.mkdir(parents=True, exist_ok=True)
    return tempfile.NamedTemporaryFile(dir=folder, prefix=".pixels-", delete=False)


def _write(file, image: np.ndarray) -> None:
    try:
        file.write(image.data)
    except OSError as error:
        raise UserError(f"Cannot write the image cache {Path(file.name).parent}: {error.strerror}") from None


def _commit(file, folder: Path, shape: tuple[int, ...]) -> np.ndarray:
    try:
        file.close()
    except OSError as error:
        raise UserError(f"Cannot write the image cache {folder}: {error.strerror}") from None
    os.replace(file.name, folder / FILE_NAME)
    return _map(folder / FILE_NAME, shape)


def _map(path: str | Path, shape: tuple[int, ...]) -> np.ndarray:
    return np.memmap(path, np.uint8, "r", shape=shape) if shape[0] else np.empty(shape, np.uint8)
