"""A file that makes the HDF5 library crash or loop forever is refused, and this process survives."""

from __future__ import annotations

import time

import h5py
import numpy as np
import pytest

from keras_radtl.config import UserError
from keras_radtl.models.weights.probe import probe_weights


def write(path, names):
    with h5py.File(path, "w") as file:
        file["layers/dense/vars/0"] = np.ones(2)
        file["layers/dense/vars"].attrs["name"] = names
    return path


def test_good_files_pass_and_refusals_give_the_reason(tmp_path):
    probe_weights(write(tmp_path / "a.h5", "first"), 10**6)
    (tmp_path / "b.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(UserError, match="b.h5: no HDF5 weight file"):
        probe_weights(tmp_path / "b.h5", 10**6)


def test_a_file_that_makes_the_library_loop_is_refused_in_time(tmp_path):
    """An object of the global heap, which holds strings, leads to empty space, where the library searches forever."""
    path = write(tmp_path / "a.h5", "first")
    data = bytearray(path.read_bytes())
    first_object = data.index(b"GCOL") + 16
    next_object = first_object + 16 + 8  # header, and "first" padded to eight bytes
    data[first_object + 8 : first_object + 16] = (256).to_bytes(8, "little")
    data[next_object : next_object + 512] = bytes(512)
    path.write_bytes(bytes(data))
    start = time.monotonic()
    with pytest.raises(UserError, match="does not end"):
        probe_weights(path, 10**6, seconds=3)
    assert time.monotonic() - start < 15


def test_a_child_that_dies_is_an_error_with_its_exit_code(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(UserError, match="the process that reads its structure ended with exit code 1"):
        probe_weights(write(tmp_path / "a.h5", "first"), 10**6)
