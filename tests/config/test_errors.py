"""User errors name the argument, the rule and the value."""

from __future__ import annotations

import pytest

from keras_radtl.config import UserError, require
from keras_radtl.config.errors import listed, one_line, shown


def repr_type(value) -> str:
    """Return the id of a parameter that pytest cannot write."""
    return type(value).__name__


def test_require_names_argument_rule_and_value():
    require(True, "rate", "in [0, 1]", 1)
    with pytest.raises(UserError, match=r"^`rate` must be in \[0, 1\]. Received: rate=1.2$"):
        require(False, "rate", "in [0, 1]", 1.2)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nb\t c", "a b c"),
        ("a\x1b[31mb\0", r"a\x1b[31mb\x00"),
        ("\ud800", r"\ud800"),
        ("x" * 300, "x" * 300),
    ],
)
def test_messages_are_one_printable_line(text, line):
    assert str(UserError(text)) == line == one_line(text)


def test_long_messages_keep_their_start_and_their_end():
    text = str(UserError("start " + "x" * 9_000_000 + ". `overwrite=True` replaces it"))
    assert len(text) == 300 and text.startswith("start xx") and text.endswith("x. `overwrite=True` replaces it")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "'a'"),
        (1.5, "1.5"),
        (10**5000, "an integer of more than 80 digits"),
        ([10**5000], "a list"),
        ("x" * 100, "'" + "x" * 49 + " ... " + "x" * 24 + "'"),
    ],
    ids=repr_type,
)
def test_values_are_shown_in_at_most_80_characters(value, text):
    assert shown(value) == text and len(text) <= 80


def test_lists_of_names_are_cut():
    assert listed("abc") == "a, b, c" and listed([]) == ""
    many = listed(f"column_{i}" for i in range(1_000_000))
    assert many.startswith("column_0, column_1, ") and many.endswith("more") and len(many) < 200
    count = many.count("column_")
    assert many.endswith(f", ... and {1_000_000 - count} more")
    assert len(listed(["x" * 10_000])) == 80
