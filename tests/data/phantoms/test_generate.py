"""Phantoms: class shares, patients, determinism and the written folder."""

from __future__ import annotations

import csv

import cv2
import numpy as np
import pytest

from keras_radtl.config import DataConfig, PhantomConfig, UserError
from keras_radtl.data.phantoms import generate as module
from keras_radtl.data.phantoms.generate import SHARES, make_phantoms, write_phantoms
from keras_radtl.data.sources import read_table


@pytest.fixture(scope="module")
def table():
    """Return a table of 90 phantoms."""
    return make_phantoms(PhantomConfig(count=90, image_size=128, difficulty=0))


def rows(table, label):
    return np.flatnonzero(np.array(table.labels) == label)


def test_shares_are_those_of_busi():
    table = make_phantoms(PhantomConfig(count=39, image_size=32))
    assert table.classes == ("benign", "malignant", "normal")
    np.testing.assert_array_equal(np.bincount(table.targets), [22, 10, 7])
    np.testing.assert_array_equal(table.targets, [table.classes.index(label) for label in table.labels])


@pytest.mark.parametrize("count", [20, 21, 33, 100, 780])
def test_class_counts_sum_to_the_count(count):
    counts = module._class_counts(count)
    assert sum(counts.values()) == count and list(counts) == list(SHARES)
    for label, share in SHARES.items():
        assert abs(counts[label] - count * share / 780) < 1


def test_shapes_and_dtypes_of_images_and_masks(table):
    assert table.pixels.shape == table.masks.shape == (90, 128, 128)
    assert table.pixels.dtype == table.masks.dtype == np.uint8
    assert set(np.unique(table.masks)) == {0, 1}
    assert table.cases[0] == "benign/benign (1)" and table.paths[-1] == "normal/normal (15).png"
    assert table.group_source == "simulated patients" and table.root is None


def test_masks_are_empty_only_for_normal_images(table):
    area = table.masks.mean(axis=(1, 2))
    lesion = np.array(table.labels) != "normal"
    assert (area[lesion] > 0.002).all() and (area[~lesion] == 0).all()


def test_patients_have_one_to_three_images_of_one_class(table):
    groups = np.array(table.groups)
    names, count = np.unique(groups, return_counts=True)
    assert set(count) == {1, 2, 3}
    for name in names:
        assert len({table.labels[row] for row in np.flatnonzero(groups == name)}) == 1


def test_views_of_a_patient_differ_but_show_the_same_lesion(table):
    lesion = np.array(table.labels) != "normal"
    area = np.sqrt(table.masks.sum(axis=(1, 2)))
    groups = np.array(table.groups)
    pairs = [np.flatnonzero(groups == name)[:2] for name in np.unique(groups[lesion])]
    pairs = np.array([pair for pair in pairs if len(pair) == 2])
    assert all((table.pixels[a] != table.pixels[b]).mean() > 0.5 for a, b in pairs)
    assert np.corrcoef(area[pairs].T)[0, 1] > 0.8  # one size per lesion, within 15 %


def test_images_depend_on_the_seed():
    config = PhantomConfig(count=20, image_size=48, seed=5)
    first, again = make_phantoms(config), make_phantoms(config)
    np.testing.assert_array_equal(first.pixels, again.pixels)
    np.testing.assert_array_equal(first.masks, again.masks)
    other = make_phantoms(PhantomConfig(count=20, image_size=48, seed=6))
    assert not (first.pixels == other.pixels).all(axis=(1, 2)).any()


def test_images_do_not_depend_on_the_number_of_images():
    few, many = (make_phantoms(PhantomConfig(count=count, image_size=32)) for count in (20, 45))
    for label in SHARES:
        a, b = rows(few, label), rows(many, label)[: len(rows(few, label))]
        np.testing.assert_array_equal(few.pixels[a], many.pixels[b])
        assert [few.groups[i] for i in a] == [many.groups[i] for i in b]


def test_image_size_changes_only_the_resolution():
    small, large = (make_phantoms(PhantomConfig(count=20, image_size=size)) for size in (64, 128))
    for image, reference in zip(small.pixels, large.pixels, strict=True):
        halved = cv2.resize(reference, (64, 64), interpolation=cv2.INTER_AREA)
        np.testing.assert_allclose(image.astype(int), halved, atol=2)


def test_all_images_are_different(table):
    assert len({image.tobytes() for image in table.pixels}) == len(table)


def test_read_table_makes_the_binary_task():
    table = read_table(DataConfig(positive="malignant", phantoms=PhantomConfig(count=20, image_size=32)))
    assert table.classes == ("other", "malignant") and table.positive == "malignant"
    assert table.targets.sum() == 5


@pytest.mark.parametrize("masks", [True, False])
def test_written_folder_has_the_same_images_and_masks(tmp_path, masks):
    config = PhantomConfig(count=20, image_size=40, seed=2)
    assert write_phantoms(tmp_path / "out", config, masks=masks) == 20
    table = make_phantoms(config)
    with open(tmp_path / "out" / "phantoms.csv", encoding="utf-8", newline="") as file:
        index = list(csv.DictReader(file))
    assert tuple(row["path"] for row in index) == table.paths
    assert tuple(row["label"] for row in index) == table.labels
    assert tuple(row["patient"] for row in index) == table.groups
    for row, image, mask in zip(index, table.pixels, table.masks, strict=True):
        np.testing.assert_array_equal(cv2.imread(tmp_path / "out" / row["path"], cv2.IMREAD_UNCHANGED), image)
        if masks:
            np.testing.assert_array_equal(cv2.imread(tmp_path / "out" / row["mask"], cv2.IMREAD_UNCHANGED), 255 * mask)
    assert len(list((tmp_path / "out").rglob("*.png"))) == (40 if masks else 20)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]  # no temporary folder remains


def test_written_folder_can_be_read_as_class_folders_and_as_table(tmp_path):
    config = PhantomConfig(count=20, image_size=32)
    write_phantoms(tmp_path / "out", config)
    made = make_phantoms(config)
    folder = read_table(DataConfig(path=str(tmp_path / "out")))
    assert set(folder.paths) == set(made.paths) and folder.classes == made.classes
    listed = read_table(DataConfig(path=str(tmp_path / "out" / "phantoms.csv")))
    assert listed.groups == made.groups and listed.labels == made.labels


def test_a_folder_with_other_files_is_an_error(tmp_path):
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(UserError, match="is not empty"):
        write_phantoms(tmp_path, PhantomConfig(count=20, image_size=32))
    with pytest.raises(UserError, match=r"has no phantoms\.csv"):
        write_phantoms(tmp_path, PhantomConfig(count=20, image_size=32), overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_instead_of_a_folder_is_an_error(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(UserError, match="must be a folder"):
        write_phantoms(tmp_path / "out", PhantomConfig(count=20, image_size=32))


def test_overwrite_replaces_an_earlier_folder(tmp_path):
    out = tmp_path / "deep" / "out"
    write_phantoms(out, PhantomConfig(count=30, image_size=32))
    write_phantoms(out, PhantomConfig(count=20, image_size=32), overwrite=True)
    assert len(list(out.rglob("*[)].png"))) == 20
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_a_failed_overwrite_keeps_the_earlier_folder(tmp_path, monkeypatch):
    out, config = tmp_path / "out", PhantomConfig(count=20, image_size=32)
    write_phantoms(out, config)
    before = {path: path.read_bytes() for path in out.rglob("*.*")}

    def full_disk(path, image):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(module, "_write_png", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_phantoms(out, config, overwrite=True)
    assert {path: path.read_bytes() for path in out.rglob("*.*")} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_negative_seed_is_an_error():
    with pytest.raises(UserError, match="`seed` must be in"):
        make_phantoms(PhantomConfig(count=20, seed=-1))
