"""Atomic JSON, CSV and text files.

Every file is written under a temporary name in its own folder, flushed to disk and renamed, so that a reader finds
either the old file or the new one, never a partial file. Needs no TensorFlow.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from keras_radtl.config import UserError

FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")  # first characters of cells that a spreadsheet would evaluate
TEMPORARY = ".tmp-"  # prefix of the names of unfinished files
DIGITS = 9  # of a float in a CSV; they distinguish all float32 numbers
_LARGEST = 1 << 28  # bytes of a file that is read at once


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
    except OSError as error:
        if error.filename is None:  # as for a failed write
            error.filename = str(path)
        raise
    finally:
        with contextlib.suppress(OSError):  # after the error that counts
            temporary.unlink()


def remove_temporary(folder: Path) -> None:
    """Remove the unfinished files that a killed process has left directly in a folder."""
    for file in folder.glob(f"{TEMPORARY}*"):
        if file.is_file():
            file.unlink(missing_ok=True)


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
    """Read a JSON file.

    Raises:
        UserError: If the file is missing or damaged; the message names it.
    """
    try:
        return json.loads(read_text(path))
    except RecursionError:
        problem = "too many tables or lists inside each other"
    except json.JSONDecodeError as error:
        problem = f"{error.msg}, line {error.lineno}" if error.doc else "it is empty"
    except UserError:
        raise
    except ValueError as error:  # an integer of thousands of digits
        problem = str(error).partition(";")[0]
    raise UserError(f"{path} is damaged: {problem}")


def read_text(path: str | Path) -> str:
    """Read a text file in UTF-8.

    Raises:
        UserError: If the file is missing, is not a file or is not UTF-8; the message names it.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise UserError(f"{path} is {'not a file' if os.path.lexists(path) else 'missing'}")
        if path.stat().st_size > _LARGEST:
            raise UserError(f"{path} is damaged: it has more than {_LARGEST >> 20} MiB")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is damaged: it is not UTF-8") from None


def csv_cell(value) -> str:
    """Return the text of one CSV cell: floats with `DIGITS` significant digits, and an apostrophe before formulas."""
    if isinstance(value, str):
        return "'" + value if value[:1] in FORMULA else value
    if value is None:
        return ""
    is_float = isinstance(value, float) or (hasattr(value, "dtype") and value.dtype.kind == "f")
    return repr(float(f"{value:.{DIGITS}g}")) if is_float else str(value)


def write_csv(path: str | Path, columns: Sequence[str], rows: Iterable[Sequence]) -> None:
    """Write a CSV file atomically; cells are those of `csv_cell`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([csv_cell(value) for value in row] for row in rows)
    write_text_atomic(path, text.getvalue())


def read_csv(path: str | Path) -> list[dict[str, str]]:
    """Read a file of `write_csv` as a list of rows, each a dict by column, without the apostrophes of `csv_cell`.

    Raises:
        UserError: If the file is missing or damaged; the message names it and the line.
    """
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    columns: list[str] = []
    rows = []
    try:
        columns = next(reader, [])
        for cells in reader:
            if len(cells) != len(columns):
                raise UserError(f"{path} is damaged: line {reader.line_num} has {len(cells)} of {len(columns)} cells")
            rows.append(
                {k: v[1:] if v[:1] == "'" and v[1:2] in FORMULA else v for k, v in zip(columns, cells, strict=True)}
            )
    except csv.Error as error:
        raise UserError(f"{path} is damaged: line {reader.line_num}: {error}") from None
    return rows


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
