"""Aligned text tables, printed through rich: no box, no colour, and no cell wrapped or cut at any terminal width."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

WIDTH = 1_000_000  # characters: wider than any table, so that rich never wraps


class Styled(NamedTuple):
    """A cell with a rich style, such as "bold underline". Only `text_table(..., ansi=True)` shows it."""

    text: str
    style: str


def text_table(
    rows: Iterable[Sequence[str | Styled]], right: Collection[int] = (), indent: int = 0, ansi: bool = False
) -> str:
    """Return rows as a table with aligned columns, two spaces apart, without trailing spaces.

    Args:
        rows: cells of each row, the header first if there is one. All rows have the same number of cells. A line
            break within a cell becomes a space.
        right: numbers of the columns that are aligned to the right, counted from 0.
        indent: spaces before each row.
        ansi: whether `Styled` cells are marked by ANSI escape sequences, for a terminal.
    Returns:
        One line per row, joined by line breaks; an empty string without rows.
    """
    rows = [tuple(row) for row in rows]
    if not rows:
        return ""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for column in range(len(rows[0])):
        table.add_column(justify="right" if column in right else "left", no_wrap=True, overflow="crop")
    for row in rows:
        table.add_row(*map(_cell, row))
    output = io.StringIO()
    console = Console(
        file=output,
        width=WIDTH,
        color_system="standard" if ansi else None,
        force_terminal=ansi,
        force_jupyter=False,
        legacy_windows=False,
    )
    console.print(table, crop=False)
    lines = output.getvalue().rstrip("\n").split("\n")
    return "\n".join((" " * indent + line).rstrip() for line in lines)


def _cell(cell: str | Styled):
    """Return a cell as rich text: brackets and colons are plain characters, not markup."""
    from rich.text import Text

    text, style = cell if isinstance(cell, Styled) else (cell, "")
    return Text.assemble((" ".join(text.splitlines()), style))
