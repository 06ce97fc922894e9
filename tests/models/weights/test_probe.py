"""Files that make the HDF5 library crash or loop forever are refused."""

from __future__ import annotations

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


def test_valid_files_pass_and_other_files_are_refused_with_the_reason(tmp_path):
    probe_weights(write(tmp_path / "a.h5", "first"), 10**6)
    (tmp_path / "b.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(UserError, match="b.h5: not an HDF5 weight file"):
        probe_weights(tmp_path / "b.h5", 10**6)


def test_a_file_that_makes_the_library_loop_is_refused_after_the_timeout(tmp_path):
    """An object of the global heap points to empty space, in which the library searches forever."""
    path = write(tmp_path / "a.h5", "first")
    data = bytearray(path.read_bytes())
    first_object = data.index(b"GCOL") + 16
    next_object = first_object + 16 + 8  # header, and "first" padded to eight bytes
    data[first_object + 8 : first_object + 16] = (256).to_bytes(8, "little")
    data[next_object : next_object + 512] = bytes(512)
    path.write_bytes(bytes(data))
    with pytest.raises(UserError, match="did not finish within 3 s"):
        probe_weights(path, 10**6, timeout=3)


def test_a_crash_of_the_child_process_is_reported_with_its_exit_code(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(UserError, match="the process that reads it ended with exit code 1"):
        probe_weights(write(tmp_path / "a.h5", "first"), 10**6)
