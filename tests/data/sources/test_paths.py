"""Paths of a table stay inside the data root."""

from __future__ import annotations

import os
import posixpath

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from keras_radtl.config import UserError
from keras_radtl.data.sources.paths import Root, is_image_name, normalize_path


@settings(deadline=None)
@given(st.text("ab./\\:", max_size=12))
@example(".\\::")
@example("./c:/a")
@example("c:/../a")
def test_normalized_paths_are_relative_and_inside_the_root(text):
    try:
        path = normalize_path(text)
    except UserError as error:
        assert repr(text) in str(error)
    else:
        assert path == posixpath.normpath(text.replace("\\", "/"))
        assert not path.startswith("/") and ".." not in path.split("/") and ":" not in path[1:2]


def test_image_names():
    assert all(map(is_image_name, ("a.png", "b c (1).JPG", "x.y.tiff")))
    assert not any(map(is_image_name, ("a.dcm", "png", "a.png.txt", ".png")))


def test_root_can_be_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.png").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert Root(tmp_path / "link").find("./a.png") == "a.png"


def test_names_that_are_not_utf8_are_errors(tmp_path):
    name = os.fsdecode(b"\xff.png")
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UserError, match="file name is not valid UTF-8"):
        Root(tmp_path).check(name)


def test_a_folder_with_the_same_prefix_is_outside(tmp_path):
    for name in ("data", "data2"):
        (tmp_path / name).mkdir()
    (tmp_path / "data2" / "a.png").write_bytes(b"x")
    (tmp_path / "data" / "a.png").symlink_to(tmp_path / "data2" / "a.png")
    with pytest.raises(UserError, match="a.png is a link that leaves the data root"):
        Root(tmp_path / "data").check("a.png")
