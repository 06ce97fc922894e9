"""Phantoms: shares, patients, determinism, the signs that tell the classes apart, and the folder."""

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
def plain():
    """Return 90 images that show their class plainly."""
    return make_phantoms(PhantomConfig(count=90, image_size=128, difficulty=0))


def rows(table, label):
    return np.flatnonzero(np.array(table.labels) == label)


def test_shares_are_those_of_busi():
    table = make_phantoms(PhantomConfig(count=39, image_size=32))
    assert table.classes == ("benign", "malignant", "normal")
    np.testing.assert_array_equal(np.bincount(table.targets), [22, 10, 7])
    np.testing.assert_array_equal(table.targets, [table.classes.index(label) for label in table.labels])


@pytest.mark.parametrize("count", [20, 21, 33, 100, 780])
def test_counts_add_up(count):
    counts = module._class_counts(count)
    assert sum(counts.values()) == count and list(counts) == list(SHARES)
    for label, share in SHARES.items():
        assert abs(counts[label] - count * share / 780) < 1


def test_images_and_masks_have_the_asked_form(plain):
    assert plain.pixels.shape == plain.masks.shape == (90, 128, 128)
    assert plain.pixels.dtype == plain.masks.dtype == np.uint8
    assert set(np.unique(plain.masks)) == {0, 1}
    assert plain.cases[0] == "benign/benign (1)" and plain.paths[-1] == "normal/normal (15).png"
    assert plain.group_source == "simulated patients" and plain.root is None


def test_every_lesion_has_a_mask_and_normal_breasts_have_none(plain):
    area = plain.masks.mean(axis=(1, 2))
    lesion = np.array(plain.labels) != "normal"
    assert (area[lesion] > 0.002).all() and (area[~lesion] == 0).all()


def test_patients_have_one_to_three_images_of_one_class(plain):
    groups = np.array(plain.groups)
    names, count = np.unique(groups, return_counts=True)
    assert set(count) == {1, 2, 3}
    for name in names:
        assert len({plain.labels[row] for row in np.flatnonzero(groups == name)}) == 1


def test_views_of_a_patient_differ_but_show_the_same_lesion(plain):
    lesion = np.array(plain.labels) != "normal"
    area = np.sqrt(plain.masks.sum(axis=(1, 2)))
    groups = np.array(plain.groups)
    pairs = [np.flatnonzero(groups == name)[:2] for name in np.unique(groups[lesion])]
    pairs = np.array([pair for pair in pairs if len(pair) == 2])
    assert all((plain.pixels[a] != plain.pixels[b]).mean() > 0.5 for a, b in pairs)
    assert np.corrcoef(area[pairs].T)[0, 1] > 0.8  # one size per lesion, within 15 %


def test_same_seed_same_images_other_seed_others():
    config = PhantomConfig(count=20, image_size=48, seed=5)
    first, again = make_phantoms(config), make_phantoms(config)
    np.testing.assert_array_equal(first.pixels, again.pixels)
    np.testing.assert_array_equal(first.masks, again.masks)
    other = make_phantoms(PhantomConfig(count=20, image_size=48, seed=6))
    assert not (first.pixels == other.pixels).all(axis=(1, 2)).any()


def test_an_image_does_not_depend_on_the_number_of_images():
    few, many = (make_phantoms(PhantomConfig(count=count, image_size=32)) for count in (20, 45))
    for label in SHARES:
        a, b = rows(few, label), rows(many, label)[: len(rows(few, label))]
        np.testing.assert_array_equal(few.pixels[a], many.pixels[b])
        assert [few.groups[i] for i in a] == [many.groups[i] for i in b]


def test_another_size_is_the_same_picture():
    small, large = (make_phantoms(PhantomConfig(count=20, image_size=size)) for size in (64, 128))
    for image, reference in zip(small.pixels, large.pixels, strict=True):
        halved = cv2.resize(reference, (64, 64), interpolation=cv2.INTER_AREA)
        np.testing.assert_allclose(image.astype(int), halved, atol=2)


def test_no_two_images_are_alike(plain):
    assert len({image.tobytes() for image in plain.pixels}) == len(plain)


def signs(table, label):
    """Measure, per image: height over width, roughness of the outline, and the brightness below, in grey values."""
    for row in rows(table, label):
        mask, image = table.masks[row], table.pixels[row].astype(float)
        ys, xs = np.nonzero(mask)
        contour = max(cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], key=len)
        roughness = cv2.arcLength(contour, True) / cv2.arcLength(cv2.convexHull(contour), True)
        below = slice(min(ys.max() + 4, 100), min(ys.max() + 24, 124))
        middle = slice(int(xs.mean()) - 4, int(xs.mean()) + 5)
        yield ys.std() / xs.std(), roughness, image[below, middle].mean() - np.median(image[below])


def test_plain_lesions_show_the_signs_of_their_class(plain):
    benign, malignant = (np.median(list(signs(plain, label)), axis=0) for label in ("benign", "malignant"))
    assert benign[0] < 0.8 and malignant[0] > 1.05  # wider than tall, taller than wide
    assert benign[1] < 1.06 and malignant[1] > 1.1  # smooth, spiculated
    assert benign[2] > 0 and malignant[2] < -20  # enhancement, shadow


def test_lesions_are_darker_than_their_surroundings(plain):
    for label in ("benign", "malignant"):
        darker = []
        for row in rows(plain, label):
            around = cv2.dilate(plain.masks[row], np.ones((9, 9), np.uint8)) - plain.masks[row]
            image = plain.pixels[row]
            darker.append(image[around > 0].mean() - image[plain.masks[row] > 0].mean())
        assert np.mean(np.array(darker) > 10) > 0.9


def test_classes_come_closer_with_difficulty():
    """The suspicion is hidden, so look at a sign that the mask tells: height over width."""

    def separation(difficulty):
        random = np.random.default_rng(0)
        aspect = np.log(
            [[module._draw_lesion(m, difficulty, random).aspect for _ in range(150)] for m in (False, True)]
        )
        return (aspect[1].mean() - aspect[0].mean()) / aspect.std(axis=1).mean()

    plain, middle, hard = (separation(d) for d in (0.0, 0.5, 1.0))
    assert plain > 1.5 * middle > 0.5 and abs(hard) < 0.3


def test_read_table_makes_the_binary_task():
    table = read_table(DataConfig(positive="malignant", phantoms=PhantomConfig(count=20, image_size=32)))
    assert table.classes == ("other", "malignant") and table.positive == "malignant"
    assert table.targets.sum() == 5


@pytest.mark.parametrize("masks", [True, False])
def test_written_folder_holds_the_same_pixels_and_answers(tmp_path, masks):
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
    assert [path.name for path in tmp_path.iterdir()] == ["out"]  # nothing half-written beside it


def test_written_folder_is_read_as_class_folders_and_as_table_with_patients(tmp_path):
    config = PhantomConfig(count=20, image_size=32)
    write_phantoms(tmp_path / "out", config)
    made = make_phantoms(config)
    folder = read_table(DataConfig(path=str(tmp_path / "out")))
    assert set(folder.paths) == set(made.paths) and folder.classes == made.classes
    listed = read_table(DataConfig(path=str(tmp_path / "out" / "phantoms.csv")))
    assert listed.groups == made.groups and listed.labels == made.labels


def test_a_folder_with_anything_in_it_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(UserError, match="is not empty"):
        write_phantoms(tmp_path, PhantomConfig(count=20, image_size=32))
    with pytest.raises(UserError, match=r"holds no phantoms\.csv"):
        write_phantoms(tmp_path, PhantomConfig(count=20, image_size=32), overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(UserError, match="must be a folder"):
        write_phantoms(tmp_path / "out", PhantomConfig(count=20, image_size=32))


def test_overwriting_replaces_an_earlier_folder(tmp_path):
    out = tmp_path / "deep" / "out"
    write_phantoms(out, PhantomConfig(count=30, image_size=32))
    write_phantoms(out, PhantomConfig(count=20, image_size=32), overwrite=True)
    assert len(list(out.rglob("*[)].png"))) == 20
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_a_failure_leaves_the_earlier_folder_and_nothing_else(tmp_path, monkeypatch):
    out, config = tmp_path / "out", PhantomConfig(count=20, image_size=32)
    write_phantoms(out, config)
    before = {path: path.read_bytes() for path in out.rglob("*.*")}

    def full(path, image):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(module, "_write_png", full)
    with pytest.raises(OSError, match="No space left"):
        write_phantoms(out, config, overwrite=True)
    assert {path: path.read_bytes() for path in out.rglob("*.*")} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_negative_seed_is_refused():
    with pytest.raises(UserError, match="`seed` must be >= 0"):
        make_phantoms(PhantomConfig(count=20, seed=-1))
