"""MedMNIST files: read without pickle; errors for invalid arrays and wrong declared sizes."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from keras_radtl.config import DataConfig, UserError
from keras_radtl.data.sources import read_table


def arrays(n=(6, 2, 2), shape=(5, 5), labels=1):
    random, result = np.random.default_rng(0), {}
    for part, count in zip(("train", "val", "test"), n, strict=True):
        result[f"{part}_images"] = random.integers(0, 256, (count, *shape), np.uint8)
        result[f"{part}_labels"] = np.arange(count * labels).reshape(count, labels) % 2
    return result


@pytest.fixture
def read(tmp_path):
    def call(values, **options):
        path = tmp_path / "set.npz"
        if isinstance(values, dict):
            np.savez_compressed(path, **values)
        return read_table(DataConfig(path=str(path), **options))

    return call


@pytest.mark.parametrize("shape", [(5, 5), (5, 5, 3), (4, 6, 1)])
def test_parts_are_the_predefined_split(read, shape):
    values = arrays(shape=shape)
    table = read(values)
    assert table.cases[:2] == ("train/000000", "train/000001") and table.cases[-1] == "test/000001"
    assert table.predefined_splits == (("train",) * 6 + ("val",) * 2 + ("test",) * 2,) and table.classes == ("0", "1")
    assert table.targets.tolist() == [0, 1] * 5 and table.root is None
    np.testing.assert_array_equal(table.pixels[6], values["val_images"][0].reshape(table.pixels[6].shape))
    assert read(values, positive="0").classes == ("1", "0")


def test_class_numbers_are_sorted_by_value(read):
    values = arrays()
    values["train_labels"][:] = [[10], [9], [2], [2], [9], [10]]
    assert read(values).classes == ("0", "1", "2", "9", "10")


def test_multilabel_task(read):
    table = read(arrays(labels=3))
    assert table.multilabel and table.targets.shape == (10, 3) and table.labels[0] == "1"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"val_labels": None}, "it has no array val_labels. Arrays: train_images"),
        ({"val_images": np.zeros((2, 5, 5), np.float32)}, "val_images must be non-empty uint8"),
        ({"val_images": np.zeros((2, 5, 5, 5), np.uint8)}, "val_images must be non-empty uint8"),
        ({"val_images": np.zeros((2, 6, 6), np.uint8)}, "shapes of images and labels must be equal"),
        ({"val_images": np.zeros((0, 5, 5), np.uint8)}, "val_images must be non-empty"),
        ({"val_labels": np.zeros((3, 1), int)}, r"val_labels must be integers of shape \(2, n_labels\)"),
        ({"val_labels": np.zeros((2, 1))}, "val_labels must be integers"),
        ({"val_labels": np.full((2, 1), -1)}, "labels must be integers >= 0"),
        ({"val_labels": np.array([[None], [None]])}, "it contains Python objects"),
    ],
)
def test_invalid_arrays_are_errors(read, change, message):
    values = {key: value for key, value in {**arrays(), **change}.items() if value is not None}
    with pytest.raises(UserError, match=message):
        read(values)


def test_pickled_code_is_not_run(read, tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    values = {**arrays(), "train_labels": np.array([[Trap()]], object)}
    with pytest.raises(UserError, match="Python objects"):
        read(values)
    assert not (tmp_path / "ran").exists()


def test_declared_size_must_be_the_stored_size(read, tmp_path):
    bomb = io.BytesIO()
    np.lib.format.write_array_header_1_0(bomb, {"shape": (10**6, 1000, 1000), "fortran_order": False, "descr": "|u1"})
    with zipfile.ZipFile(tmp_path / "set.npz", "w") as archive:
        for name, value in arrays().items():
            buffer = io.BytesIO()
            np.save(buffer, value)
            archive.writestr(f"{name}.npy", bomb.getvalue() if name == "train_images" else buffer.getvalue())
    with pytest.raises(UserError, match="declares 1000000000000 bytes but has 0"):
        read(None)


@pytest.mark.parametrize("cut", [0, 10, 200, 700, -20])
def test_truncated_file_is_an_error(read, tmp_path, cut):
    read(arrays())
    path = tmp_path / "set.npz"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(UserError, match=r"not a readable .npz file"):
        read(None)


def test_flipped_bytes_give_a_table_or_a_user_error(read, tmp_path):
    read(arrays())
    path = tmp_path / "set.npz"
    good, random = path.read_bytes(), np.random.default_rng(0)
    for _ in range(150):
        bad = bytearray(good)
        bad[random.integers(len(bad))] ^= int(random.integers(1, 256))
        path.write_bytes(bad)
        try:
            read(None)
        except UserError as error:
            assert "set.npz" in str(error) or "classes" in str(error)


def test_real_chest_radiographs(shared_data):
    table = read_table(DataConfig(path=str(shared_data / "pneumonia_28.npz")))
    assert (
        len(table) == 3166
        and table.targets.sum() == 1583
        and set(table.predefined_splits[0]) == {"train", "val", "test"}
    )
