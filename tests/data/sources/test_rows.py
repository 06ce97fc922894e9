"""Rows of CSV files: cells, line numbers and columns by name."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_radtl.config import UserError
from keras_radtl.data.sources import rows as module
from keras_radtl.data.sources.rows import read_rows


@pytest.fixture
def read(tmp_path):
    def call(text):
        path = tmp_path / "a.csv"
        path.write_bytes(text.encode())
        return read_rows(path)

    return call


def test_row_numbers_are_line_numbers(read):
    rows = read('a,b\n1,2\n\n"two\nlines",3\n4,5\n')
    assert rows.rows == [["1", "2"], ["two\nlines", "3"], ["4", "5"]] and rows.numbers == [2, 5, 6]
    assert rows.where(2).endswith("a.csv, row 6")


def test_columns_are_found_in_order_of_preference_ignoring_case(read):
    rows = read("File, Path ,x\n1,2,3\n")
    assert rows.find(("path", "file")) == "Path" and rows.find(("file", "path")) == "File" and rows.find(("y",)) is None
    assert rows.column("Path") == ["2"] and rows.named("X", "label") == "x"


def test_errors_of_convert_start_with_the_row(read):
    def upper(text):
        if text == "bad":
            raise UserError("not allowed")
        return text.upper()

    rows = read("a\nx\nbad\n")
    assert rows.take([0]).convert("a", upper) == ["X"]
    with pytest.raises(UserError, match=r"a.csv, row 3: not allowed$"):
        rows.convert("a", upper)


@pytest.mark.parametrize(
    ("text", "formula"), [("=1", 1), ("@x", 1), ("+cmd|x", 1), ("-a", 1), ("-1", 0), ("+2.5e3", 0), ("", 0)]
)
def test_formulas_are_errors_and_numbers_are_not(read, text, formula):
    rows = read(f"a,b\n{text},1\n")
    if formula:
        with pytest.raises(UserError, match="row 2: column a starts like a spreadsheet formula"):
            rows.convert("a", str)
    else:
        assert rows.convert("a", str) == [text]


cells = st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=("Cs",)), max_size=6).map(str.strip)


@settings(deadline=None)
@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=6))
def test_written_rows_are_read_back(tmp_path_factory, body):
    body = [row for row in body if any(row)] or [("x", "y")]
    text = io.StringIO()
    csv.writer(text).writerows([("one", "two"), *body])
    path = tmp_path_factory.getbasetemp() / "round.csv"
    path.write_bytes(text.getvalue().encode())
    assert [tuple(row) for row in read_rows(path).rows] == body


def test_too_large_files_are_an_error(read, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 1 << 20)
    assert read("a\n" + "1\n" * 1000).numbers[-1] == 1001
    with pytest.raises(UserError, match="a.csv must be at most 1 MiB. Received: 2 MiB"):
        read("a\n" + "1\n" * (1 << 20))
