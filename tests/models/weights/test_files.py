"""Only regular local files with a plausible size are accepted."""

from __future__ import annotations

import hashlib
import os

import pytest

from keras_radtl.config import UserError
from keras_radtl.models.weights.files import ALLOWANCE, require_regular_file, require_size, sha256_of


def test_links_are_resolved_and_files_are_hashed(tmp_path):
    (tmp_path / "a.h5").write_bytes(b"abc")
    (tmp_path / "b.h5").symlink_to("a.h5")
    path = require_regular_file(tmp_path / "b.h5")
    assert path == (tmp_path / "a.h5").resolve()
    assert sha256_of(path) == hashlib.sha256(b"abc").hexdigest()


def test_other_paths_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circular").symlink_to("circular")
    (tmp_path / "broken").symlink_to("missing")
    for name in (
        "hf://a/b",
        "gs://bucket/x.h5",
        "",
        "\0",
        tmp_path / "missing",
        tmp_path / "circular",
        tmp_path / "broken",
    ):
        with pytest.raises(UserError, match="No such weight file|regular file"):
            require_regular_file(name)
    for name in (tmp_path / "pipe", tmp_path, "/dev/zero"):
        with pytest.raises(UserError, match="regular file"):
            require_regular_file(name)


def test_the_size_limit_is_twice_the_expected_size(tmp_path):
    path = tmp_path / "a.h5"
    path.touch()
    os.truncate(path, 2_000_000 + ALLOWANCE)
    require_size(path, 1_000_000)
    os.truncate(path, 2_000_001 + ALLOWANCE)
    with pytest.raises(UserError, match="the size is 6 MB instead of about 1 MB"):
        require_size(path, 1_000_000)
