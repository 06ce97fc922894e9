"""Reading a table of results: separators, empty cells and faults."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from keras_radtl.config import UserError
from keras_radtl.reports.result_table import as_result_table, read_result_table, row_list


@pytest.fixture
def read(tmp_path):
    """Return a function that writes text as a file and reads it as a table."""

    def write_and_read(text, encoding="utf-8"):
        path = tmp_path / "table.csv"
        path.write_bytes(text.encode(encoding))
        return read_result_table(path)

    return write_and_read


@pytest.mark.parametrize("separator", (",", ";", "\t"))
@pytest.mark.parametrize("line_end", ("\n", "\r\n"))
def test_separators_and_line_ends(read, separator, line_end):
    table = read(line_end.join(["clf,auc", "Conv,0.9", "", " Linear ,0.8"]).replace(",", separator), "utf-8-sig")
    assert table.columns == {"clf": ("Conv", "Linear"), "auc": ("0.9", "0.8")}
    assert table.numbers == (2, 4)


def test_rows_with_an_empty_cell_are_left_out_by_line(read):
    table = read("filters,task,auc\n4,a,1\n,a,1\n16.0,a,1\nNA,,1\n4.0,b,1\n8,n/a,1\n")
    complete, (lines, columns) = table.without_empty(("filters", "task"))
    assert complete.factor("filters") == ("4", "16", "4") and complete.numbers == (2, 4, 6)
    assert (lines, columns) == ((3, 5, 7), ("filters", "task"))
    assert table.without_empty(("auc",)) == (table, ((), ()))
    with pytest.raises(UserError, match="every row has an empty cell in filters, task"):
        read("filters,task\n4,\n,a\n").without_empty(("filters", "task"))


def test_none_is_a_level_beside_numbers(read):
    table = read("filters,auc\n4,1\nnone,1\n16.0,1\n4.0,1\n")
    assert table.factor("filters") == table.covariate("filters") == ("4", "none", "16", "4")
    assert table.without_empty(("filters",))[1].rows == ()


def test_words_are_levels_as_they_stand(read):
    assert read("fold,auc\n1_2,1\n1_3,1\n").factor("fold") == ("1_2", "1_3")


def test_rows_without_a_response_are_excluded_by_line(read):
    table, dropped = read("clf,auc\na,0.5\nb,\nc,NaN\nd,0.7\n").rows_with("auc")
    assert table.columns == {"clf": ("a", "d"), "auc": ("0.5", "0.7")}
    assert dropped == (3, 4)


@pytest.mark.parametrize("cell", ("high", "inf", "0,5", "0.9*", "-1e101"))
def test_other_responses_must_be_finite_numbers(read, cell):
    with pytest.raises(UserError, match="line 3: 'auc' must be a finite number"):
        read(f'clf,auc\na,0.5\nb,"{cell}"\n').rows_with("auc")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("a,b\n", "has a header but no rows"),
        ("a,a\n1,2\n", "has several columns called a"),
        ("a,b\n1,2\n1\n", "row 3 has 1 cell, but the header has 2"),
        ('a,b\n1,"2\n', "row 2: unexpected end of data"),
    ],
)
def test_faults_are_named(read, text, message):
    with pytest.raises(UserError, match=message):
        read(text)


def test_unknown_columns_and_files_are_named(read, tmp_path):
    with pytest.raises(UserError, match="no column 'c'. Columns: a, b"):
        read("a,b\n1,2\n").column("c")
    with pytest.raises(UserError, match="no such file"):
        read_result_table(tmp_path / "nothing.csv")
    with pytest.raises(UserError, match="UTF-8"):
        read("a,b\nä,2\n", "latin-1")


def test_long_lists_of_lines_are_cut():
    assert row_list([4]) == "line 4"
    assert row_list(range(1, 31), most=3) == "lines 1, 2, 3 and 27 more"
    assert row_list([4, 7], "row") == "rows 4, 7"


def test_a_dataframe_is_read_like_its_csv(tmp_path):
    frame = pd.DataFrame({"clf": ["a", None, "b"], "filters": [4, np.nan, 16.0], "auc": [0.5, 0.25, np.nan]})
    frame.to_csv(tmp_path / "table.csv", index=False)
    table, from_file = as_result_table(frame), as_result_table(tmp_path / "table.csv")
    assert table.columns == from_file.columns
    assert (table.numbers, from_file.numbers) == ((0, 1, 2), (2, 3, 4))
    complete, (rows, columns) = table.without_empty(("filters", "clf"))
    assert complete.factor("filters") == ("4", "16") and (rows, columns) == ((1,), ("filters", "clf"))
    assert table.rows_with("auc")[1] == (2,)
    assert as_result_table(table) is table


def test_other_tables_are_refused():
    with pytest.raises(UserError, match="`table` must be the path of a CSV or a pandas DataFrame. Received: list"):
        as_result_table([1])
    with pytest.raises(UserError, match="table: has no rows"):
        as_result_table(pd.DataFrame({"a": []}))
