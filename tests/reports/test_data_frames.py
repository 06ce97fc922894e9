"""Rows as DataFrames and DataFrames as HTML."""

from __future__ import annotations

from keras_radtl.reports.data_frames import html_tables, rows_frame


def test_an_empty_frame_has_its_columns():
    assert list(rows_frame([], ("a", "b"), "a").columns) == ["b"]


def test_html_is_escaped_and_empty_tables_are_skipped():
    frame = rows_frame([{"a": "<x>", "b": 0.123456}, {"a": "y", "b": None}], ("a", "b"), "a")
    page = html_tables({"P & Q": frame, "none": rows_frame([], ("a",))}, ["n < 3"])
    assert "&lt;x&gt;" in page and "<p>n &lt; 3</p>" in page and "<h4>P &amp; Q</h4>" in page
    assert "0.1235" in page and "<td>-</td>" in page and "none" not in page
