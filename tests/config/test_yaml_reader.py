"""YAML and JSON of users: plain values, and refusals of everything that can expand, hide or repeat."""

from __future__ import annotations

import pytest

from keras_radtl.config import UserError, load_values
from keras_radtl.config.yaml_reader import MAX_DEPTH, read_yaml

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-007", -7),
        ("1e-4", 1e-4),
        (".5", 0.5),
        ("-.inf", float("-inf")),
        ("yes", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("2001-01-01", "2001-01-01"),  # no dates
        ("1:30", "1:30"),  # no numbers to the base 60
        ("0x10", "0x10"),
        ("'3'", "3"),
        ("[1, a, {b: c}]", [1, "a", {"b": "c"}]),
        ('{"a": "\\ud83d\\ude00", "b": [1.5, null, true]}', {"a": "😀", "b": [1.5, None, True]}),  # JSON
        ("{a: 1, b}", {"a": 1, "b": None}),  # YAML that starts like JSON
        ("a:\n  - 1\n  - b: 2 # comment\n", {"a": [1, {"b": 2}]}),
    ],
)
def test_values(text, value):
    assert read_yaml(text) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[1", "line 1"),
        ("a: &x 1", "anchors and aliases are not allowed, line 1, column 4"),
        ("a: *x", "anchors and aliases are not allowed"),
        (BOMB, "anchors and aliases are not allowed"),
        ('!!int "x"', "tags are not allowed"),
        ("!!python/object/apply:os.system [ls]", "tags are not allowed"),
        ("{a: 1, a: 2}", "the key 'a' appears twice"),
        ('{"a": 1, "a": 2}', "the key 'a' appears twice"),
        ("a: {b: 1, c: 2, b: 3}", "the key 'b' appears twice"),
        ("1: 2", "the key 1 is not text"),
        ("[a]: 2", "is not text"),
        ("9" * 5000, "an integer of 5000 digits"),
        ('{"a": ' + "9" * 5000 + "}", "an integer of 5000 digits"),
        ("{" * 3000, "inside each other"),
        ("[" * 3000 + "]" * 3000, "inside each other"),
        ('{"a":' * 3000 + "1" + "}" * 3000, "inside each other"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "inside each other"),
        ("a\0b", "special characters are not allowed"),
    ],
    ids=range(18),
)
def test_refusals(text, reason):
    with pytest.raises(ValueError, match=".") as error:
        read_yaml(text)
    assert reason in str(error.value)


def test_depth_up_to_the_limit():
    assert read_yaml("[" * MAX_DEPTH + "]" * MAX_DEPTH) == read_yaml("[ " * MAX_DEPTH + "]" * MAX_DEPTH)


def test_large_files_are_refused_before_they_are_read(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_bytes(b"# comment\n" * 5_000_000)
    with pytest.raises(UserError, match="must be a configuration file of at most 1 MB. It has 50.0 MB"):
        load_values(file)


def test_paths_that_are_no_files(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (tmp_path, tmp_path / "loop", tmp_path / "absent"):
        with pytest.raises(UserError, match="No such configuration file"):
            load_values(path)
    with pytest.raises(UserError, match="File name too long"):
        load_values("x" * 5000)
