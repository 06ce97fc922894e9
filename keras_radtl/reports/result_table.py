"""A table of results, one experiment per row, from a CSV or a DataFrame: a numeric response and its possible factors.

Empty cells are missing values: as in R, an analysis leaves out the rows in which one of its columns is empty, and
reports them. NA, NaN, null and N/A also count as empty, in upper or lower case; the word `none` is a level.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from keras_radtl.config import UserError
from keras_radtl.config.errors import listed, shown
from keras_radtl.data.sources.rows import read_rows
from keras_radtl.stats.mixed_design import LARGEST, NONE, is_numeric

if TYPE_CHECKING:
    import pandas as pd

_EMPTY = {"", "na", "n/a", "nan", "null"}


class LeftOut(NamedTuple):
    """Rows with an empty cell: their numbers, and the columns that are empty in one of them."""

    rows: tuple[int, ...]
    columns: tuple[str, ...]


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
            raise UserError(f"{self.source} has no column {shown(name)}. Columns: {listed(self.columns)}")
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
            elif not is_numeric([cell]) or not abs(float(cell)) <= LARGEST:
                where = f"{self.source}, {self.row_name} {number}"
                rule = f"a finite number of at most {LARGEST:g}"
                raise UserError(f"{where}: {response!r} must be {rule}. Received: {shown(cell)}")
            else:
                kept.append(row)
        if not kept:
            raise UserError(f"{self.source}: no row has a value of {response!r}")
        return self._rows(kept), tuple(excluded)

    def without_empty(self, names: Iterable[str]) -> tuple[ResultTable, LeftOut]:
        """Return the table without the rows in which one of the columns is empty, and what is left out.

        Args:
            names: columns.

        Raises:
            UserError: if no row remains.
        """
        empty = {name: [cell.lower() in _EMPTY for cell in self.column(name)] for name in names}
        kept = [row for row in range(len(self.numbers)) if not any(cells[row] for cells in empty.values())]
        with_empty = tuple(name for name, cells in empty.items() if any(cells))
        if not kept:
            raise UserError(f"{self.source}: every row has an empty cell in {listed(with_empty)}")
        excluded = tuple(sorted({*self.numbers} - {self.numbers[row] for row in kept}))
        return self._rows(kept), LeftOut(excluded, with_empty)

    def _rows(self, kept: Sequence[int]) -> ResultTable:
        columns = {name: tuple(cells[row] for row in kept) for name, cells in self.columns.items()}
        return ResultTable(self.source, columns, tuple(self.numbers[row] for row in kept), self.row_name)

    def factor(self, name: str) -> tuple[str, ...]:
        """Return a column as levels; equal numbers are one level in any spelling."""
        cells = self.column(name)
        spell = (lambda cell: f"{float(cell):.15g}") if is_numeric([cell for cell in cells if cell != NONE]) else str
        return tuple(cell if cell == NONE else spell(cell) for cell in cells)

    def covariate(self, name: str) -> tuple[str, ...]:
        """Return a column as a fixed effect: numbers as they are, anything else as levels."""
        cells = self.column(name)
        return cells if is_numeric(cells) else self.factor(name)


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
    repeated = [name for name in header if header.count(name) > 1]
    if repeated:
        raise UserError(f"table: column {shown(repeated[0])} appears more than once")
    if not len(table):
        raise UserError("table: has no rows")
    cells = table.astype(object).mask(table.isna(), "").to_numpy()
    columns = {name: tuple(str(cell).strip() for cell in column) for name, column in zip(header, cells.T, strict=True)}
    return ResultTable("table", columns, tuple(range(len(table))), "row")


def read_result_table(path: str | os.PathLike[str]) -> ResultTable:
    """Read a CSV with a header, separated by commas, semicolons or tabs, in UTF-8.

    Raises:
        UserError: if the file does not exist, is not text, has no rows, or has a repeated column or a row of another
            length.
    """
    if not Path(path).exists():
        raise UserError(f"{path}: no such file")
    rows = read_rows(Path(path))
    columns = {name: tuple(row[i] for row in rows.rows) for i, name in enumerate(rows.header)}
    return ResultTable(str(path), columns, tuple(rows.numbers))
