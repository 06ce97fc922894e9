"""Random damage to weight files: tensors, or an error that names the file."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from fuzzing import EDITS, damaged, fuzz
from hypothesis import strategies as st

from keras_radtl.models.weights.hdf5 import open_weights
from keras_radtl.models.weights.probe import probe_weights
from keras_radtl.models.weights.torch_checkpoint import read_torch_checkpoint

REFERENCE = Path(__file__).parents[1] / "reference"
CHECKPOINTS = [(REFERENCE / name).read_bytes() for name in ("torch_small.pt", "torch_small_old.pt")]


def pickle_of(checkpoint: bytes) -> tuple[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(checkpoint)) as archive:
        name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        return name, archive.read(name)


def with_pickle(checkpoint: bytes, name: str, content: bytes) -> bytes:
    """Return the archive of a checkpoint with another pickle."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(checkpoint)) as old, zipfile.ZipFile(stream, "w") as new:
        for member in old.namelist():
            new.writestr(member, content if member == name else old.read(member))
    return stream.getvalue()


def check_torch(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    for name, tensor in read_torch_checkpoint(file).items():
        assert isinstance(name, str) and isinstance(tensor, np.ndarray)


@pytest.mark.parametrize("examples", [60, pytest.param(400, marks=pytest.mark.slow)])
def test_damaged_checkpoints(tmp_path, examples):
    def check(drawn):
        check_torch(tmp_path / "x.pt", damaged(*drawn))

    fuzz(check, st.tuples(st.sampled_from(CHECKPOINTS), EDITS), examples)


@pytest.mark.parametrize("examples", [60, pytest.param(400, marks=pytest.mark.slow)])
def test_damaged_pickles(tmp_path, examples):
    name, pickle = pickle_of(CHECKPOINTS[0])

    def check(edits):
        check_torch(tmp_path / "x.pt", with_pickle(CHECKPOINTS[0], name, damaged(pickle, edits)))

    fuzz(check, EDITS, examples)


@pytest.fixture
def keras_files(tmp_path) -> list[bytes]:
    """Return a small legacy file and one of Keras 3."""
    legacy, current = tmp_path / "legacy.h5", tmp_path / "current.h5"
    with h5py.File(legacy, "w") as file:
        file.attrs["layer_names"] = [b"conv"]
        file.create_group("conv").attrs["weight_names"] = [b"conv/kernel:0"]
        file["conv/conv/kernel:0"] = np.ones((3, 3), np.float32)
    with h5py.File(current, "w") as file:
        file.create_group("layers/conv").attrs["name"] = "conv"
        file["layers/conv/vars/0"] = np.ones((3, 3), np.float32)
    return [legacy.read_bytes(), current.read_bytes()]


@pytest.mark.parametrize("examples", [2, pytest.param(100, marks=pytest.mark.slow)])
def test_damaged_keras_files(tmp_path, keras_files, examples):
    file = tmp_path / "x.weights.h5"

    def check(drawn):
        which, edits = drawn
        file.write_bytes(damaged(keras_files[which], edits))
        probe_weights(file, 1000)  # in a process of its own, since HDF5 can crash
        with open_weights(file, 1000):
            pass

    fuzz(check, st.tuples(st.integers(0, 1), EDITS), examples)
