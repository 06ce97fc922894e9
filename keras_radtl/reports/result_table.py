"""A table of results, one experiment per row, from a CSV or a DataFrame: a numeric response and its possible factors.

An empty cell of a factor is a level of its own, `none`: a head without filters has no number of filters, but its rows
belong in the analysis. A row without a response is excluded and reported. NA, NaN, None, null and N/A also count as
empty, in upper or lower case.
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from keras_radtl.config import UserError
from keras_radtl.stats.mixed_design import NONE, is_numeric

if TYPE_CHECKING:
    import pandas as pd

_EMPTY = {"", "na", "n/a", "nan", "null", NONE}
_DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True)
class ResultTable:
    """The cells of a table as text, by column.

    Attributes:
        source: path of the file, or "table" for a DataFrame; for messages.
        columns: cells by column name, without surrounding spaces.
        numbers: number of each row: the line of the file on which it ends, counted from 1, or the position in the
            DataFrame, counted from 0.
        row_name: what these numbers count: "line" or "row".
    """

    source: str
    columns: dict[str, tuple[str, ...]]
    numbers: tuple[int, ...]
    row_name: str = "line"

    def column(self, name: str) -> tuple[str, ...]:
        """Return the cells of a column.

        Raises:
            UserError: naming the known columns.
        """
        if name not in self.columns:
            raise UserError(f"{self.source} has no column {name!r}. Columns: {', '.join(self.columns)}")
        return self.columns[name]

    def rows_with(self, response: str) -> tuple[ResultTable, tuple[int, ...]]:
        """Return the table without the rows whose response is empty, and the numbers of these rows.

        Raises:
            UserError: if another cell of the response is not a finite number, or no row remains.
        """
        kept, excluded = [], []
        for row, (cell, number) in enumerate(zip(self.column(response), self.numbers, strict=True)):
            if cell.lower() in _EMPTY:
                excluded.append(number)
            elif not is_numeric([cell]) or not math.isfinite(float(cell)):
                where = f"{self.source}, {self.row_name} {number}"
                raise UserError(f"{where}: {response!r} must be a finite number. Received: {cell!r}")
            else:
                kept.append(row)
        if not kept:
            raise UserError(f"{self.source}: no row has a value of {response!r}")
        columns = {name: tuple(cells[row] for row in kept) for name, cells in self.columns.items()}
        numbers = tuple(self.numbers[row] for row in kept)
        return ResultTable(self.source, columns, numbers, self.row_name), tuple(excluded)

    def factor(self, name: str) -> tuple[str, ...]:
        """Return a column as levels: empty cells are `none`, and equal numbers are one level in any spelling."""
        cells = self.column(name)
        present = [cell for cell in cells if cell.lower() not in _EMPTY]
        spell = (lambda cell: f"{float(cell):.15g}") if is_numeric(present) else str
        return tuple(NONE if cell.lower() in _EMPTY else spell(cell) for cell in cells)

    def covariate(self, name: str) -> tuple[str, ...]:
        """Return a column as a fixed effect: numbers as they are, anything else as levels.

        Raises:
            UserError: if the column holds numbers and empty cells.
        """
        cells = self.column(name)
        empty = [number for cell, number in zip(cells, self.numbers, strict=True) if cell.lower() in _EMPTY]
        if empty and len(empty) < len(cells) and is_numeric([cell for cell in cells if cell.lower() not in _EMPTY]):
            where = row_list(empty, self.row_name)
            raise UserError(
                f"{self.source}: {name!r} holds numbers but is empty in {where}. Fill in these cells, or add {name!r} "
                f"to `categorical` to make them a level {NONE!r}"
            )
        return cells if not empty and is_numeric(cells) else self.factor(name)


def row_list(numbers: Sequence[int], row_name: str = "line", most: int = 20) -> str:
    """Return row numbers as text: "line 4" or "lines 4, 9, 12"; at most `most` numbers are listed."""
    shown = ", ".join(map(str, numbers[:most]))
    more = f" and {len(numbers) - most} more" if len(numbers) > most else ""
    return f"{row_name}{'s' * (len(numbers) > 1)} {shown}{more}"


def as_result_table(table: str | os.PathLike[str] | pd.DataFrame | ResultTable) -> ResultTable:
    """Return a path of a CSV or a pandas DataFrame as a ResultTable; a ResultTable is returned as it is.

    Raises:
        UserError: if `table` is something else, or has no rows, a repeated column or another fault.
    """
    if isinstance(table, ResultTable):
        return table
    if isinstance(table, (str, os.PathLike)):
        return read_result_table(table)
    if not hasattr(table, "isna") or not hasattr(table, "columns"):
        raise UserError(f"`table` must be the path of a CSV or a pandas DataFrame. Received: {type(table).__name__}")
    header = [str(name).strip() for name in table.columns]
    cells = table.astype(object).mask(table.isna(), "").to_numpy()
    rows = [(number, [str(cell).strip() for cell in row]) for number, row in enumerate(cells)]
    _check("table", header, rows)
    return _from_rows("table", header, rows, "row")


def read_result_table(path: str | os.PathLike[str]) -> ResultTable:
    """Read a CSV with a header, separated by commas, semicolons or tabs, in UTF-8.

    Raises:
        UserError: if the file does not exist, is not text, has no rows, or has a repeated column or a row of another
            length.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=max(_DELIMITERS, key=first.count), strict=True)
            header = [name.strip() for name in next(reader, [])]
            found = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(map(str.strip, row))]
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not a text file in UTF-8") from None
    except csv.Error as error:
        raise UserError(f"{path}: is not a CSV: {error}") from None
    _check(str(path), header, found)
    return _from_rows(str(path), header, found, "line")


def _from_rows(source: str, header: list[str], rows: list[tuple[int, list[str]]], row_name: str) -> ResultTable:
    columns = {name: tuple(row[i] for _, row in rows) for i, name in enumerate(header)}
    return ResultTable(source, columns, tuple(number for number, _ in rows), row_name)


def _check(source: str, header: list[str], found: list[tuple[int, list[str]]]) -> None:
    if len(set(header)) < len(header):
        repeated = next(name for name in header if header.count(name) > 1)
        raise UserError(f"{source}: column {repeated!r} appears more than once")
    for line, row in found:
        if len(row) != len(header):
            raise UserError(
                f"{source}, line {line}: must have {len(header)} cells, like the header. Received: {len(row)}"
            )
    if not found:
        raise UserError(f"{source}: has no rows")
