"""A table of results, one experiment a row, read from CSV: a numeric response and the factors it may depend on.

An empty cell of a factor is a level of its own, `none`: a head without filters has no number of filters, and its rows
belong in the analysis all the same. A row without a response says nothing and is left out, by name. Empty are also NA,
NaN, None, null and N/A, in any case of letters.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_radtl.config import UserError
from keras_radtl.stats.mixed_design import NONE, is_numeric

_EMPTY = {"", "na", "n/a", "nan", "null", NONE}
_DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True)
class ResultTable:
    """Text of a CSV by column.

    Attributes:
        path: of the file, for messages.
        columns: cells by column name, surrounding blanks removed.
        lines: line of the file on which each row ends, counted from 1.
    """

    path: Path
    columns: dict[str, tuple[str, ...]]
    lines: tuple[int, ...]

    def column(self, name: str) -> tuple[str, ...]:
        """Return the cells of a column.

        Raises:
            UserError: naming the known columns.
        """
        if name not in self.columns:
            raise UserError(f"{self.path} has no column `{name}`. Columns: {', '.join(self.columns)}")
        return self.columns[name]

    def rows_with(self, response: str) -> tuple[ResultTable, tuple[int, ...]]:
        """Return the table without rows whose response is empty, and the lines of these rows.

        Raises:
            UserError: when another cell of the response is not a finite number, or none is left.
        """
        kept, dropped = [], []
        for row, (cell, line) in enumerate(zip(self.column(response), self.lines, strict=True)):
            if cell.lower() in _EMPTY:
                dropped.append(line)
            elif not is_numeric([cell]) or not math.isfinite(float(cell)):
                raise UserError(f"{self.path}, line {line}: `{response}` must be a finite number. Received: {cell!r}")
            else:
                kept.append(row)
        if not kept:
            raise UserError(f"{self.path}: no row has a value of `{response}`")
        columns = {name: tuple(cells[row] for row in kept) for name, cells in self.columns.items()}
        return ResultTable(self.path, columns, tuple(self.lines[row] for row in kept)), tuple(dropped)

    def factor(self, name: str) -> tuple[str, ...]:
        """Return a column as levels: empty cells are `none`, equal numbers are one level however they are spelled."""
        cells = self.column(name)
        present = [cell for cell in cells if cell.lower() not in _EMPTY]
        spell = (lambda cell: f"{float(cell):.15g}") if is_numeric(present) else str
        return tuple(NONE if cell.lower() in _EMPTY else spell(cell) for cell in cells)

    def covariate(self, name: str) -> tuple[str, ...]:
        """Return a column as it may stand among the fixed effects: numbers as they are, anything else as levels.

        Raises:
            UserError: when the column holds numbers and empty cells.
        """
        cells = self.column(name)
        empty = [line for cell, line in zip(cells, self.lines, strict=True) if cell.lower() in _EMPTY]
        if empty and len(empty) < len(cells) and is_numeric([cell for cell in cells if cell.lower() not in _EMPTY]):
            raise UserError(
                f"{self.path}: `{name}` holds numbers but is empty on {line_list(empty)}; fill it in, or name it in "
                f"--categorical to make these rows a level `{NONE}`"
            )
        return cells if not empty and is_numeric(cells) else self.factor(name)


def line_list(lines: Sequence[int], most: int = 20) -> str:
    """Return "line 4" or "lines 4, 9, 12"; beyond `most` the count of the others."""
    shown = ", ".join(map(str, lines[:most]))
    more = f" and {len(lines) - most} more" if len(lines) > most else ""
    return f"line{'s' * (len(lines) > 1)} {shown}{more}"


def read_result_table(path: str | Path) -> ResultTable:
    """Read a CSV with a header, separated by commas, semicolons or tabs, in UTF-8.

    Raises:
        UserError: when it is not there, not text, has no rows, a repeated column, or a row of another length.
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
    _check(path, header, found)
    columns = {name: tuple(row[i] for _, row in found) for i, name in enumerate(header)}
    return ResultTable(path, columns, tuple(line for line, _ in found))


def _check(path: Path, header: list[str], found: list[tuple[int, list[str]]]) -> None:
    if len(set(header)) < len(header):
        repeated = next(name for name in header if header.count(name) > 1)
        raise UserError(f"{path}: column `{repeated}` is there more than once")
    for line, row in found:
        if len(row) != len(header):
            raise UserError(f"{path}, line {line}: must have {len(header)} cells as the header. Received: {len(row)}")
    if not found:
        raise UserError(f"{path}: has no rows below its header")
