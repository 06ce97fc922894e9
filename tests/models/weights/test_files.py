"""Only regular local files of a plausible size are read as weights."""

from __future__ import annotations

import hashlib
import os

import pytest

from keras_radtl.config import UserError
from keras_radtl.models.weights.files import ALLOWANCE, require_regular_file, require_size, sha256_of


def test_a_link_to_a_file_is_followed_and_its_bytes_are_hashed(tmp_path):
    (tmp_path / "a.h5").write_bytes(b"abc")
    (tmp_path / "b.h5").symlink_to("a.h5")
    path = require_regular_file(tmp_path / "b.h5")
    assert path == (tmp_path / "a.h5").resolve()
    assert sha256_of(path) == hashlib.sha256(b"abc").hexdigest()


def test_what_is_no_regular_file_is_refused_without_being_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "nowhere").symlink_to("missing")
    for name in (
        "hf://a/b",
        "gs://bucket/x.h5",
        "",
        "\0",
        tmp_path / "missing",
        tmp_path / "circle",
        tmp_path / "nowhere",
    ):
        with pytest.raises(UserError, match="No such weight file|regular file"):
            require_regular_file(name)
    for name in (tmp_path / "pipe", tmp_path, "/dev/zero"):
        with pytest.raises(UserError, match="regular file"):
            require_regular_file(name)


def test_twice_the_expected_size_is_the_limit(tmp_path):
    path = tmp_path / "a.h5"
    path.touch()
    os.truncate(path, 2_000_000 + ALLOWANCE)
    require_size(path, 1_000_000)
    os.truncate(path, 2_000_001 + ALLOWANCE)
    with pytest.raises(UserError, match="6 MB where 1 MB are expected"):
        require_size(path, 1_000_000)
