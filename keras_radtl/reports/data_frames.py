"""Results as pandas DataFrames, and DataFrames as HTML for Jupyter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def rows_frame(rows: Iterable[Mapping], columns: Sequence[str], index: str | None = None) -> pd.DataFrame:
    """Return rows as a DataFrame.

    Args:
        rows: values by column name.
        columns: names of the columns in order, which an empty DataFrame has as well.
        index: the column that becomes the index; None: rows are numbered from 0.
    """
    import pandas as pd

    frame = pd.DataFrame(list(rows), columns=list(columns))
    return frame if index is None else frame.set_index(index)


def html_tables(tables: Mapping[str, pd.DataFrame], notes: Sequence[str] = ()) -> str:
    """Return notes and DataFrames as HTML.

    Args:
        tables: DataFrames by title; empty ones are skipped.
        notes: lines of text above them.
    """
    parts = [f"<p>{escape(note)}</p>" for note in notes]
    for title, frame in tables.items():
        if len(frame):
            table = frame.to_html(border=0, na_rep="-", float_format=lambda value: f"{value:.4g}")
            parts.append(f"<h4>{escape(title)}</h4>{table}")
    return "\n".join(parts)
