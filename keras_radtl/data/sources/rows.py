"""Read the rows of a CSV file as text, with their line numbers for error messages."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from keras_radtl.config import UserError
from keras_radtl.config.errors import listed, shown

FORMULA_STARTS = "=@+-"  # a spreadsheet reads such a cell as a formula
MAX_BYTES = 1 << 30  # larger files are an error, raised before reading


@dataclass(frozen=True)
class Rows:
    """A CSV file in memory.

    Attributes:
        file: Path of the file as given by the user.
        header: Column names, stripped.
        rows: Stripped cells; every row has one cell per column.
        numbers: Line number of each row in the file; the header is line 1.
    """

    file: Path
    header: tuple[str, ...]
    rows: list[list[str]]
    numbers: list[int]

    def where(self, index: int) -> str:
        """Return the file and the line number of a row, for messages."""
        return f"{self.file}, row {self.numbers[index]}"

    def find(self, names: Sequence[str]) -> str | None:
        """Return the column for the first of `names` that exists, ignoring case, or None."""
        return next((self._by_lower[name] for name in names if name in self._by_lower), None)

    @cached_property
    def _by_lower(self) -> dict[str, str]:
        return {name.lower(): name for name in self.header}

    def named(self, name: str, option: str) -> str:
        """Return the column called `name`, ignoring case.

        Args:
            name: Name of the column.
            option: The option that names it, for the message.

        Raises:
            UserError: If there is no such column; the message lists the columns.
        """
        if name in self.header:
            return name
        found = self.find((name.lower(),))
        if found is None:
            received = f"Received: {option}={shown(name)}. Columns: {listed(self.header)}"
            raise UserError(f"{self.file}: no column of that name. {received}")
        return found

    def column(self, name: str) -> list[str]:
        """Return the cells of a column."""
        index = self.header.index(name)
        return [row[index] for row in self.rows]

    def convert(self, name: str, function: Callable[[str], Any]) -> list:
        """Apply `function` to every cell of a column and return the results.

        Raises:
            UserError: If `function` raises one, or if a cell looks like a spreadsheet formula. The message starts with
                the file and the row.
        """
        result = []
        for index, text in enumerate(self.column(name)):
            try:
                if text[:1] in FORMULA_STARTS and _is_formula(text):
                    raise UserError(f"column {name} starts like a spreadsheet formula. Received: {text!r}")
                result.append(function(text))
            except UserError as error:
                raise UserError(f"{self.where(index)}: {error}") from None
        return result

    def unused(self, used: Sequence[str | None]) -> tuple[str, ...]:
        """Return a note that names the columns other than `used`, or nothing."""
        names = [name for name in self.header if name and name not in used]
        return (f"columns not used: {listed(names)}",) if names else ()

    def take(self, indices: Sequence[int]) -> Rows:
        """Return the selected rows."""
        return Rows(self.file, self.header, [self.rows[i] for i in indices], [self.numbers[i] for i in indices])


def _is_formula(text: str) -> bool:
    return text != "" and not re.fullmatch(r"[+-]?\d+([.,]\d*)?([eE][+-]?\d+)?", text)


def read_rows(path: Path) -> Rows:
    """Read a CSV file in UTF-8, separated by commas, semicolons or tabs.

    Args:
        path: The file.

    Returns:
        The `Rows` without blank rows.

    Raises:
        UserError: If the file is not UTF-8 or contains NUL bytes, if two columns have the same name, or if a row has
            too many or too few cells; the message names the row.
    """
    if not path.is_file():
        raise UserError(f"{path} must be a regular file")
    if path.stat().st_size > MAX_BYTES:
        raise UserError(f"{path} must be at most {MAX_BYTES >> 20} MiB. Received: {path.stat().st_size >> 20} MiB")
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row, byte = raw.count(b"\n", 0, error.start) + 1, raw[error.start]
        raise UserError(f"{path}, row {row}: byte 0x{byte:02x} is not UTF-8; save the file as UTF-8") from None
    if "\0" in text:
        raise UserError(f"{path}, row {text.count(chr(10), 0, text.index(chr(0))) + 1}: NUL byte")
    text = text.lstrip("\r\n")
    if not text.strip():
        raise UserError(f"{path} is empty")
    separator = max(",;\t", key=io.StringIO(text).readline().count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        header = tuple(cell.strip() for cell in next(reader))
        rows, numbers = [], []
        for row in reader:
            if any(cell and not cell.isspace() for cell in row):
                rows.append([cell.strip() for cell in row])
                numbers.append(reader.line_num)
    except csv.Error as error:
        raise UserError(f"{path}, row {reader.line_num}: {error}") from None
    _check(path, header, rows, numbers)
    return Rows(path, header, rows, numbers)


def _check(path: Path, header: tuple[str, ...], rows: list[list[str]], numbers: list[int]) -> None:
    repeated = [name for name, count in Counter(name.lower() for name in header if name).items() if count > 1]
    if repeated:
        raise UserError(f"{path} has several columns called {repeated[0]}")
    if not rows:
        raise UserError(f"{path} has a header but no rows")
    for row, number in zip(rows, numbers, strict=True):
        if len(row) != len(header):
            found = f"{len(row)} {'cell' if len(row) == 1 else 'cells'}"
            raise UserError(f"{path}, row {number} has {found}, but the header has {len(header)}")
