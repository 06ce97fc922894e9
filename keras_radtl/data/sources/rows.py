"""The rows of a CSV as text, each with its place in the file for messages."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_radtl.config import UserError

FORMULA_STARTS = "=@+-"  # what a spreadsheet takes for a formula
MOST_BYTES = 1 << 30  # a larger CSV is refused before it is read


@dataclass(frozen=True)
class Rows:
    """A CSV file in memory.

    Attributes:
        file: path as the user gave it.
        header: column names, stripped.
        rows: stripped cells, as many per row as columns.
        numbers: line of each row in the file; the header stands in line 1.
    """

    file: Path
    header: tuple[str, ...]
    rows: list[list[str]]
    numbers: list[int]

    def where(self, index: int) -> str:
        """Return file and row, for messages."""
        return f"{self.file}, row {self.numbers[index]}"

    def find(self, names: Sequence[str]) -> str | None:
        """Return the column whose name, in any case, comes first in `names`, or None."""
        lower = {name.lower(): name for name in self.header}
        return next((lower[name] for name in names if name in lower), None)

    def named(self, name: str, option: str) -> str:
        """Return the column that an option names, in any case.

        Raises:
            UserError: listing the columns.
        """
        if name in self.header:
            return name
        found = self.find((name.lower(),))
        if found is None:
            columns = ", ".join(self.header)
            raise UserError(f"{self.file}: no column of that name. Received: {option}={name!r}. Columns: {columns}")
        return found

    def column(self, name: str) -> list[str]:
        """Return the cells of a column."""
        place = self.header.index(name)
        return [row[place] for row in self.rows]

    def convert(self, name: str, function: Callable[[str], Any]) -> list:
        """Return `function` of every cell of a column.

        Raises:
            UserError: what `function` raises, with file and row in front; and for a cell that a spreadsheet would run
                as a formula.
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

    def take(self, indices: Sequence[int]) -> Rows:
        """Return these rows."""
        return Rows(self.file, self.header, [self.rows[i] for i in indices], [self.numbers[i] for i in indices])


def _is_formula(text: str) -> bool:
    return text != "" and not re.fullmatch(r"[+-]?\d+([.,]\d*)?([eE][+-]?\d+)?", text)


def read_rows(path: Path) -> Rows:
    """Read a CSV in UTF-8, separated by comma, semicolon or tab.

    Raises:
        UserError: for other text, NUL bytes, doubled column names and rows of another length, naming the row.
    """
    if path.stat().st_size > MOST_BYTES:
        raise UserError(f"{path} is larger than {MOST_BYTES >> 20} MiB")
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
    twice = [name for name, count in Counter(name.lower() for name in header if name).items() if count > 1]
    if twice:
        raise UserError(f"{path}: two columns are called {twice[0]}")
    if not rows:
        raise UserError(f"{path} holds a header and no rows")
    for row, number in zip(rows, numbers, strict=True):
        if len(row) != len(header):
            raise UserError(f"{path}, row {number}: {len(row)} cells, and the header has {len(header)}")
