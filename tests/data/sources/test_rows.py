"""CSV text: cells, their rows for messages, columns by name."""

from __future__ import annotations

import csv
import io
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_radtl.config import UserError
from keras_radtl.data.sources.rows import read_rows


@pytest.fixture
def read(tmp_path):
    def call(text):
        path = tmp_path / "a.csv"
        path.write_bytes(text.encode())
        return read_rows(path)

    return call


def test_row_numbers_are_lines_of_the_file(read):
    rows = read('a,b\n1,2\n\n"two\nlines",3\n4,5\n')
    assert rows.rows == [["1", "2"], ["two\nlines", "3"], ["4", "5"]] and rows.numbers == [2, 5, 6]
    assert rows.where(2).endswith("a.csv, row 6")


def test_columns_in_any_case_and_by_preference(read):
    rows = read("File, Path ,x\n1,2,3\n")
    assert rows.find(("path", "file")) == "Path" and rows.find(("file", "path")) == "File" and rows.find(("y",)) is None
    assert rows.column("Path") == ["2"] and rows.named("X", "label") == "x"


def test_convert_puts_the_row_in_front(read):
    def refuse(text):
        if text == "bad":
            raise UserError("no good")
        return text.upper()

    rows = read("a\nx\nbad\n")
    assert rows.take([0]).convert("a", refuse) == ["X"]
    with pytest.raises(UserError, match=r"a.csv, row 3: no good$"):
        rows.convert("a", refuse)


@pytest.mark.parametrize(
    ("text", "formula"), [("=1", 1), ("@x", 1), ("+cmd|x", 1), ("-a", 1), ("-1", 0), ("+2.5e3", 0), ("", 0)]
)
def test_formulas_are_refused_and_numbers_are_not(read, text, formula):
    rows = read(f"a,b\n{text},1\n")
    if formula:
        with pytest.raises(UserError, match="row 2: column a starts like a spreadsheet formula"):
            rows.convert("a", str)
    else:
        assert rows.convert("a", str) == [text]


cells = st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=("Cs",)), max_size=6).map(str.strip)


@settings(deadline=None)
@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=6))
def test_what_a_spreadsheet_writes_is_read_back(tmp_path_factory, body):
    body = [row for row in body if any(row)] or [("x", "y")]
    text = io.StringIO()
    csv.writer(text).writerows([("one", "two"), *body])
    path = tmp_path_factory.getbasetemp() / "round.csv"
    path.write_bytes(text.getvalue().encode())
    assert [tuple(row) for row in read_rows(path).rows] == body


def test_hundred_thousand_rows_take_less_than_a_second_of_work(read):
    text = "path,label,group\n" + "".join(f"images/{i}.png,{i % 2},p{i // 3}\n" for i in range(100_000))
    start = time.process_time()
    rows = read(text)
    assert time.process_time() - start < 1 and len(rows.rows) == 100_000
