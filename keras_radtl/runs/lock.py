"""A lock that admits one writer of a folder at a time."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from keras_radtl.config import UserError
from keras_radtl.runs.outputs import check_output_folder

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def locked(path: str | Path) -> Iterator[None]:
    """Lock a folder against other processes inside the `with` block, also those of other machines on a network folder.

    The lock is the file `.NAME.lock` beside the folder. It is removed at the end. The lock of a process that was killed
    is free, whether its file is left or not. On a file system without locks a warning is logged.

    Raises:
        UserError: If another process holds the lock, or the folder cannot be written.
    """
    check_output_folder(path)
    folder = Path(os.path.realpath(path))
    made = _make_folders(folder.parent)
    try:
        with _hold(folder.with_name(f".{folder.name}.lock"), path):
            yield
    finally:
        for parent in made:
            with contextlib.suppress(OSError):  # it is in use
                parent.rmdir()


def _make_folders(folder: Path) -> list[Path]:
    """Make a folder and its parents; returns those that did not exist, the innermost first."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


@contextlib.contextmanager
def _hold(file: Path, path: str | Path) -> Iterator[None]:
    busy = f"Another process is writing {path}; wait until it ends, or choose another `output`"
    try:
        import fcntl
    except ImportError:  # Windows
        from filelock import FileLock, Timeout

        try:
            with FileLock(file, timeout=0):
                yield
        except Timeout:
            raise UserError(busy) from None
        return
    descriptor = _acquire(file, fcntl, busy)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(file)  # while it is held, so that nobody can hold a file that has lost its name
        os.close(descriptor)


def _acquire(file: Path, fcntl, busy: str) -> int:
    """Return the descriptor of a lock file that this process holds."""
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise UserError(busy) from None
        except OSError as error:
            logger.warning("%s: no lock (%s); do not write this folder by two processes", file.parent, error.strerror)
            return descriptor
        with contextlib.suppress(FileNotFoundError):
            if os.stat(file).st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        os.close(descriptor)  # its holder removed the file after we opened it
