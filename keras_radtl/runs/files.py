"""Files that are whole or absent, and a folder that one process writes at a time.

Every file is written under a temporary name in its own folder, flushed to disk and renamed, so that a reader finds the
old file or the new one, never half of one. Needs no TensorFlow.
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

FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")  # spreadsheets run a cell that begins so; the apostrophe marks them


TEMPORARY = ".tmp-"  # how the names of unfinished files begin


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success flush it to disk and rename it to `path`, else remove it.

    The temporary name ends like `path`, since Keras routes by the suffix.
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
    """Flush the names in a folder to disk, where the system can."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_text_atomic(path: str | Path, text: str) -> None:
    """Write a UTF-8 text file so that it is there whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def write_json(path: str | Path, value) -> None:
    """Write strictly valid, indented JSON (no NaN) atomically."""
    write_text_atomic(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: str | Path):
    """Read a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def csv_cell(value) -> str:
    """Return the text of one CSV cell; text that a spreadsheet would run as a formula gets a leading apostrophe."""
    if isinstance(value, str):
        return "'" + value if value[:1] in FORMULA else value
    if value is None:
        return ""
    return (
        repr(float(value))
        if isinstance(value, float) or hasattr(value, "dtype") and value.dtype.kind == "f"
        else str(value)
    )


def write_csv(path: str | Path, columns: Sequence[str], rows: Iterable[Sequence]) -> None:
    """Write a CSV atomically; floats keep all their digits (see `csv_cell`)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([csv_cell(value) for value in row] for row in rows)
    write_text_atomic(path, text.getvalue())


def read_csv(path: str | Path) -> list[dict[str, str]]:
    """Read a CSV of ours as a list of rows, each a dict by column, without the apostrophes of `csv_cell`."""
    with open(path, newline="", encoding="utf-8") as file:
        return [
            {k: v[1:] if v[:1] == "'" and v[1:2] in FORMULA else v for k, v in row.items()}
            for row in csv.DictReader(file)
        ]


def difference(old: Mapping, new: Mapping, where: str = "") -> list[str]:
    """List the dotted keys in which two nested dicts differ, with both values."""
    found = []
    for key in sorted({*old, *new}):
        name = f"{where}.{key}" if where else key
        a, b = old.get(key), new.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += difference(a, b, name)
        elif a != b:
            found.append(f"{name}: {a!r} there, {b!r} now")
    return found


@contextlib.contextmanager
def locked(path: str | Path) -> Iterator[None]:
    """Hold the only right to write `path` on this machine; a second writer is refused.

    Raises:
        UserError: when another process holds it.
    """
    from filelock import FileLock, Timeout

    name = hashlib.sha256(str(Path(path).resolve()).encode()).hexdigest()[:16]
    lock = FileLock(Path(tempfile.gettempdir()) / f"keras_radtl-{name}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(f"Another process is writing {path}; wait for it, or choose another `output`") from None
    try:
        yield
    finally:
        lock.release()
