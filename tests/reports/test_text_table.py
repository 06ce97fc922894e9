"""Aligned text: columns, styles, and nothing wrapped, cut or taken for markup."""

from __future__ import annotations

import pytest

from keras_radtl.reports.text_table import Styled, text_table


def test_columns_are_aligned_two_spaces_apart():
    assert text_table([["", "n"], ["first", "1,000"], ["b", "7"]], right=[1], indent=1).split("\n") == [
        "            n",
        " first  1,000",
        " b          7",
    ]


@pytest.mark.parametrize("columns", ["20", "80"])
def test_no_terminal_width_wraps_or_cuts(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("FORCE_COLOR", "1")
    long = "a name with spaces " * 40
    assert text_table([[long, "x"], ["b", "y"]]).split("\n") == [f"{long}  x", f"b{' ' * len(long)} y"]


def test_cells_are_plain_text():
    assert text_table([["[bold] :smile: [0.8, 0.9]", "a\nb"]]) == "[bold] :smile: [0.8, 0.9]  a b"
    assert text_table([["日本", "x"], ["abcd", "y"]]) == "日本  x\nabcd  y"  # two columns of a terminal each


def test_styles_are_shown_on_request():
    rows = [["a", Styled("best", "bold underline")], ["b", "longer than it"]]
    assert text_table(rows) == "a  best\nb  longer than it"
    assert text_table(rows, ansi=True) == "a  \033[1;4mbest\033[0m\nb  longer than it"


def test_no_rows_are_no_text():
    assert text_table([]) == ""
