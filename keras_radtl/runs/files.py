"""Atomic JSON, CSV and text files, and a lock that admits one writer at a time.

Every file is written under a temporary name in its own folder, flushed to disk and renamed, so that a reader finds
either the old file or the new one, never a partial file. Needs no TensorFlow.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from keras_radtl.config import UserError

FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")  # first characters of cells that a spreadsheet would evaluate
TEMPORARY = ".tmp-"  # prefix of the names of unfinished files


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; on success rename it to `path`, otherwise remove it.

    The file is flushed to disk before it is renamed. The temporary name keeps the suffix, by which Keras chooses the
    file format.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{path.name}")
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Flush the directory entries of a folder to disk, on POSIX systems."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_text_atomic(path: str | Path, text: str) -> None:
    """Write a UTF-8 text file atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def write_json(path: str | Path, value) -> None:
    """Write strictly valid, indented JSON (no NaN) atomically."""
    write_text_atomic(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: str | Path):
    """Read a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def csv_cell(value) -> str:
    """Return the text of one CSV cell; text that a spreadsheet would evaluate gets a leading apostrophe."""
    if isinstance(value, str):
        return "'" + value if value[:1] in FORMULA else value
    if value is None:
        return ""
    is_float = isinstance(value, float) or (hasattr(value, "dtype") and value.dtype.kind == "f")
    return repr(float(value)) if is_float else str(value)


def write_csv(path: str | Path, columns: Sequence[str], rows: Iterable[Sequence]) -> None:
    """Write a CSV file atomically; floats keep all digits (see `csv_cell`)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([csv_cell(value) for value in row] for row in rows)
    write_text_atomic(path, text.getvalue())


def read_csv(path: str | Path) -> list[dict[str, str]]:
    """Read a file of `write_csv` as a list of rows, each a dict by column, without the apostrophes of `csv_cell`."""
    with open(path, newline="", encoding="utf-8") as file:
        return [
            {k: v[1:] if v[:1] == "'" and v[1:2] in FORMULA else v for k, v in row.items()}
            for row in csv.DictReader(file)
        ]


def difference(old: Mapping, new: Mapping, where: str = "") -> list[str]:
    """Return the dotted keys in which two nested dicts differ, each with both values."""
    found = []
    for key in sorted({*old, *new}):
        name = f"{where}.{key}" if where else key
        a, b = old.get(key), new.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += difference(a, b, name)
        elif a != b:
            found.append(f"{name}: {a!r} before, {b!r} now")
    return found


@contextlib.contextmanager
def locked(path: str | Path) -> Iterator[None]:
    """Lock `path` against other processes of this machine inside the `with` block.

    Raises:
        UserError: If another process holds the lock.
    """
    from filelock import FileLock, Timeout

    name = hashlib.sha256(str(Path(path).resolve()).encode()).hexdigest()[:16]
    lock = FileLock(Path(tempfile.gettempdir()) / f"keras_radtl-{name}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(f"Another process is writing {path}; wait until it ends, or choose another `output`") from None
    try:
        yield
    finally:
        lock.release()
