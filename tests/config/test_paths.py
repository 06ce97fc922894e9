"""Paths that users give."""

from __future__ import annotations

from pathlib import Path

import pytest

from keras_radtl.config import UserError
from keras_radtl.config.paths import user_path


def test_home_folders_are_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_path("~/a") == tmp_path / "a" and user_path(Path("b~")) == Path("b~")


@pytest.mark.parametrize("path", ["~nosuchuser/x", "a\0b"])
def test_paths_that_cannot_be(path):
    with pytest.raises(UserError, match="^No such file or folder: "):
        user_path(path)
