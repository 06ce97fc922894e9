"""Faults of the file system: every operation that changes files below some folders is counted, and one of them fails.

Python's functions are replaced inside a `with` block, each system call of a write included. What C libraries do with a
path on their own, such as pages of a memory map, is not seen.
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

RAISE, SHORT, FULL = "raise", "short write", "full"
_NEEDS_SPACE = ("create", "write", "mkdir", "posix_fallocate")
_BY_PATH = ("mkdir", "unlink", "remove", "rmdir", "utime")
_BY_TWO = ("rename", "replace")
_BY_DESCRIPTOR = ("fsync", "posix_fallocate", "ftruncate")


class Faults:
    """Counts the operations below some folders, and lets one of them fail.

    Args:
        folders: The folders.
        at: Number of the operation, counted from 0; None: none fails.
        kind: `raise`: an input/output error; `short write`: half of the bytes are written, then the disk is full;
            `full`: the disk is full from there on.
        before: Called before each operation.

    Attributes:
        operations: Name and file of each operation so far.
        hit: Whether an operation has failed.
    """

    def __init__(
        self, *folders: Path, at: int | None = None, kind: str = RAISE, before: Callable[[], object] = lambda: None
    ):
        self.folders, self.at, self.kind, self.before = [os.path.realpath(f) for f in folders], at, kind, before
        self.operations: list[str] = []
        self.hit = self.active = False

    def watches(self, path: str) -> bool:
        """Return whether a path is in one of the folders."""
        return self.active and any(path == folder or path.startswith(folder + os.sep) for folder in self.folders)

    def run(self, name: str, path: str, operate: Callable, half: Callable = lambda: None, named: bool = True):
        """Execute an operation, or let it fail.

        Args:
            name: What is done.
            path: To which file.
            operate: Function that does it.
            half: Function that does half of it.
            named: Whether errors of this operation name the file.
        """
        if not self.watches(path):
            return operate()
        number = len(self.operations)
        self.operations.append(f"{name} {os.path.basename(path)}")
        self.before()
        here = number == self.at
        if here and self.kind == SHORT:
            half()
        full = self.kind in (FULL, SHORT) and name in _NEEDS_SPACE
        if self.at is not None and ((here and self.kind == RAISE) or (number >= self.at and full)):
            self.hit = True
            code = errno.EIO if self.kind == RAISE else errno.ENOSPC
            raise OSError(code, os.strerror(code), *([path] if named else []))
        return operate()


class _File(io.FileIO):
    """A file whose writes are operations."""

    def __init__(self, faults: Faults, path: str, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._faults, self._path = faults, path

    def write(self, data) -> int:
        data, write = memoryview(data).cast("B"), super().write
        return self._faults.run(
            "write", self._path, lambda: write(data), lambda: write(data[: len(data) // 2]), named=False
        )


@contextlib.contextmanager
def injected(faults: Faults) -> Iterator[Faults]:
    """Replace the functions that change files inside the `with` block."""
    with pytest.MonkeyPatch.context() as patch:
        replaced = _open(faults)
        patch.setattr(builtins, "open", replaced)
        patch.setattr(io, "open", replaced)
        patch.setattr(os, "open", _os_open(faults))
        for name in (*_BY_PATH, *_BY_TWO, *_BY_DESCRIPTOR):
            patch.setattr(os, name, _function(faults, name))
        faults.active = True
        try:
            yield faults
        finally:
            faults.active = False


def _absolute(path, dir_fd: int | None = None) -> str:
    if isinstance(path, int):
        return os.readlink(f"/proc/self/fd/{path}")
    folder = os.getcwd() if dir_fd is None else os.readlink(f"/proc/self/fd/{dir_fd}")
    return os.path.normpath(os.path.join(folder, os.fsdecode(path)))


def _function(faults: Faults, name: str):
    real, by_descriptor = getattr(os, name), name in _BY_DESCRIPTOR

    def call(path, *args, **kwargs):
        where = _absolute(path, kwargs.get("dir_fd", kwargs.get("src_dir_fd")))
        return faults.run(name, where, lambda: real(path, *args, **kwargs), named=not by_descriptor)

    return call


def _os_open(faults: Faults):
    real = os.open

    def call(path, flags, *args, **kwargs):
        if not flags & os.O_CREAT:
            return real(path, flags, *args, **kwargs)
        return faults.run("create", _absolute(path, kwargs.get("dir_fd")), lambda: real(path, flags, *args, **kwargs))

    return call


def _open(faults: Faults):
    real = io.open

    def call(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None):
        changes = not isinstance(file, int) and set(mode) & set("wax+") and buffering != 0
        if not changes or not faults.watches(path := _absolute(file)):
            return real(file, mode, buffering, encoding, errors, newline, closefd, opener)
        name = "open" if mode[0] == "r" else "create"
        plain = mode.replace("b", "").replace("t", "")
        raw = faults.run(name, path, lambda: _File(faults, path, file, plain, closefd, opener))
        buffered = io.BufferedRandom(raw) if raw.readable() else io.BufferedWriter(raw)
        if "b" in mode:
            return buffered
        return io.TextIOWrapper(buffered, encoding, errors, newline)

    return call
