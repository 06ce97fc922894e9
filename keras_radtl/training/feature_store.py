"""Store of activations on disk: computed once, memory-mapped, shared by all runs that need the same ones.

An entry is a folder with one `.npy` file per tensor and a manifest. It is renamed to its final name when it is
complete, so two processes may write the same entry: the first complete copy is used. An entry whose checksum does not
match is damaged; it is removed and computed again. The store is a cache: if it exceeds its limit, the least recently
used entries are removed, and if it cannot be written, activations are computed again whenever they are needed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import shutil
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import platformdirs

logger = logging.getLogger(__name__)

_MANIFEST = "manifest.json"
_STALE_SECONDS = 24 * 3600  # an older unfinished entry was left by a crash
_reported: set[Path] = set()  # folders of which a warning was logged


def default_folder() -> Path:
    """Return the folder of the store, below KERAS_RADTL_CACHE or else below the user's cache folder."""
    base = os.environ.get("KERAS_RADTL_CACHE") or platformdirs.user_cache_dir("keras_radtl", appauthor=False)
    return Path(base).expanduser() / "features"


class _SourceError(OSError):
    """An `OSError` of the function that computes activations, not of the store."""

    def __init__(self, cause: OSError):
        super().__init__(*cause.args)
        self.cause = cause


def _guarded(make: Callable[[], Iterable[list[np.ndarray]]]) -> Iterator[list[np.ndarray]]:
    try:
        yield from make()
    except OSError as error:
        raise _SourceError(error) from error


class FeatureStore:
    """A folder of activations with a size limit.

    Args:
        folder: Folder of the store; it is created with the first entry.
        limit: Size in bytes; if it is exceeded, the least recently used entries are removed.
        dtype: `float32`, or `float16` for half the disk space and a rounding error, which is logged.
    """

    def __init__(self, folder: Path, limit: int, dtype: str = "float32"):
        self.folder, self.limit, self.dtype = Path(folder), int(limit), dtype
        self._lock = threading.Lock()  # an entry is written once, also if two threads of a training need it

    def batches(
        self, key: dict, rows: int, size: int, make: Callable[[], Iterable[list[np.ndarray]]]
    ) -> Iterator[list[np.ndarray]]:
        """Yield the tensors of an entry in batches; if the store cannot be written, they are computed instead.

        The values are the same in both cases.

        Args:
            key: Everything that the activations depend on, as for `fetch`.
            rows: Number of rows of each tensor.
            size: Number of rows of a batch; the last batch may be smaller.
            make: Function that returns batches of this size, each a list of float32 arrays.
        Yields:
            One array per tensor.
        """
        stored = self.arrays(key, rows, make)
        if stored is None:
            for batch in make():
                yield [tensor.astype(self.dtype, copy=False) for tensor in batch]
            return
        for start in range(0, rows, size):
            yield [tensor[start : start + size] for tensor in stored]

    def arrays(self, key: dict, rows: int, make: Callable[[], Iterable[list[np.ndarray]]]) -> list[np.ndarray] | None:
        """Return the memory-mapped tensors of an entry as `fetch` does, or None if the store cannot be written."""
        try:
            return self.fetch(key, rows, make)
        except _SourceError as error:
            raise error.cause from None
        except OSError as error:
            self._report(error)
            return None

    def _report(self, error: OSError) -> None:
        if self.folder not in _reported:
            _reported.add(self.folder)
            reason, text = error.strerror or error, "activations of frozen layers are computed again when needed"
            logger.warning("feature store: %s cannot be written (%s); %s", self.folder, reason, text)

    def fetch(self, key: dict, rows: int, make: Callable[[], Iterable[list[np.ndarray]]]) -> list[np.ndarray]:
        """Return the memory-mapped tensors of an entry; `make` computes them if there is no intact entry.

        Args:
            key: JSON-able dict of everything that the activations depend on.
            rows: Number of rows of each tensor.
            make: Function that returns batches, each a list of float32 arrays with one row per case, in order.
        Returns:
            One array per tensor, of `rows` rows.
        Raises:
            OSError: If there is no intact entry and none can be written.
        """
        key = {**key, "dtype": self.dtype}
        name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
        with self._lock:
            found = self._open(name, key, rows)
            if found is None:
                self._write(name, key, rows, _guarded(make))
                found = self._open(name, key, rows)
                if found is None:
                    raise OSError(errno.EIO, "an entry cannot be replaced", str(self.folder / name))
                self._prune(keep=name)
        return found

    def _open(self, name: str, key: dict, rows: int) -> list[np.ndarray] | None:
        entry = self.folder / name
        if not (entry / _MANIFEST).is_file():
            shutil.rmtree(entry, ignore_errors=True)  # left by a removal that was killed
            return None
        try:
            manifest = json.loads((entry / _MANIFEST).read_text(encoding="utf-8"))
            arrays = [np.load(entry / file["name"], mmap_mode="r", allow_pickle=False) for file in manifest["files"]]
            sound = manifest["key"] == key and all(
                len(array) == rows and zlib.crc32(array) == file["crc32"]
                for array, file in zip(arrays, manifest["files"], strict=True)
            )
        except (OSError, ValueError, KeyError):
            sound = False
        if not sound:
            logger.warning("feature store: entry %s is damaged and is computed again", name)
            shutil.rmtree(entry, ignore_errors=True)
            return None
        with contextlib.suppress(OSError):  # a read-only cache, or another process that prunes
            os.utime(entry)
        return arrays

    def _write(self, name: str, key: dict, rows: int, batches: Iterable[list[np.ndarray]]) -> None:
        temporary = self.folder / f".tmp-{os.getpid()}-{name}"
        temporary.mkdir(parents=True, exist_ok=True)
        try:
            arrays, start, error = [], 0, 0.0
            for batch in batches:
                arrays = arrays or [self._new(temporary, i, rows, tensor.shape[1:]) for i, tensor in enumerate(batch)]
                for array, tensor in zip(arrays, batch, strict=True):
                    array[start : start + len(tensor)] = tensor
                    if self.dtype != "float32":
                        error = max(error, float(np.abs(array[start : start + len(tensor)] - tensor).max()))
                start += len(batch[0])
            if self.dtype != "float32":
                logger.info("feature store: largest error of %s is %.2g", self.dtype, error)
            files = []
            for i, array in enumerate(arrays):
                array.flush()
                files.append({"name": f"tensor_{i}.npy", "crc32": zlib.crc32(array)})
            (temporary / _MANIFEST).write_text(json.dumps({"key": key, "files": files}), encoding="utf-8")
            self._place(temporary, self.folder / name)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _new(self, folder: Path, number: int, rows: int, shape) -> np.ndarray:
        path = folder / f"tensor_{number}.npy"
        array = np.lib.format.open_memmap(path, "w+", self.dtype, (rows, *shape))
        if hasattr(
            os, "posix_fallocate"
        ):  # a full disk is an error here; later, a write to the mapping would raise SIGBUS
            with open(path, "rb+") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        return array

    @staticmethod
    def _place(temporary: Path, entry: Path) -> None:
        try:
            os.rename(temporary, entry)
        except OSError:
            if not (entry / _MANIFEST).is_file():  # else another process was faster
                raise

    def _prune(self, keep: str) -> None:
        entries = []
        for entry in self.folder.iterdir():
            try:
                if entry.name.startswith(".tmp-"):
                    if time.time() - entry.stat().st_mtime > _STALE_SECONDS:
                        shutil.rmtree(entry, ignore_errors=True)
                    continue
                entries.append((entry.stat().st_mtime, sum(f.stat().st_size for f in entry.iterdir()), entry))
            except OSError:  # another process removed it
                continue
        total = sum(size for _, size, _ in entries)
        for _, size, entry in sorted(entries, key=lambda item: item[0]):
            if total <= self.limit:
                break
            if entry.name != keep:
                shutil.rmtree(entry, ignore_errors=True)
                total -= size
