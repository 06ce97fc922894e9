"""Identical images, label conflicts and near duplicates."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from keras_radtl.config import DataConfig, UserError
from keras_radtl.data.duplicates import (
    duplicate_clusters,
    find_duplicates,
    label_conflicts,
    near_duplicates,
    perceptual_hashes,
    resolve,
)
from keras_radtl.data.images import Images, load_images
from keras_radtl.data.sources import read_table
from keras_radtl.data.table import CaseTable


def make_table(targets, **more):
    cases = tuple(f"case {i}" for i in range(len(targets)))
    return CaseTable("made", None, cases, cases, cases, ("benign", "malignant"), np.asarray(targets), **more)


def images_of(hashes, kept=None):
    kept = np.arange(len(hashes)) if kept is None else kept
    return Images(np.zeros((len(hashes), 2, 2, 1), np.uint8), tuple(hashes), (), kept)


def test_equal_hashes_are_one_cluster():
    clusters = find_duplicates(["x", "y", "x", "z", "y", "x"])
    assert clusters.tolist() == [0, 1, 0, 2, 1, 0]
    assert duplicate_clusters(clusters) == [(0, 2, 5), (1, 4)]


def test_unknown_labels_are_not_in_conflict():
    table = make_table(np.array([0, 1, 1, 1, 0, -1], np.int32))
    assert label_conflicts(table, np.array([0, 0, 1, 1, 2, 2])) == [(0, 1)]
    nan = np.nan
    many = make_table(np.array([[1, nan], [1, 0], [0, 1], [0, nan], [0, 0], [0, 1]], np.float32), multilabel=True)
    assert label_conflicts(many, np.array([0, 0, 1, 1, 2, 2])) == [(4, 5)]


def test_all_images_of_a_conflict_are_excluded_and_reported(caplog):
    table = make_table(np.array([0, 1, 0, 1, 1], np.int32), labels=("cyst", "cancer", "cyst", "cancer", "cancer"))
    resolved = resolve(table, images_of("abacc"), "drop")
    assert resolved.table.cases == ("case 0", "case 1", "case 2", "case 3", "case 4")
    resolved = resolve(table, images_of("aabcc"), "drop")
    assert resolved.table.cases == ("case 2", "case 3", "case 4") and resolved.indices.tolist() == [2, 3, 4]
    assert resolved.clusters.tolist() == [0, 1, 1] and resolved.hashes == ("b", "c", "c")
    assert [item.path for item in resolved.rejected] == ["case 0", "case 1"]
    assert resolved.rejected[0].reason == "identical images with different labels: case 0 [cyst] = case 1 [cancer]"
    assert "excluded: identical images with different labels: case 0 [cyst]" in caplog.text


def test_conflicts_can_be_kept_or_an_error(caplog):
    table = make_table(np.array([0, 1, 0], np.int32))
    kept = resolve(table, images_of("aab"), "keep")
    assert len(kept.table) == 3 and kept.rejected == () and "kept: identical images" in caplog.text
    with pytest.raises(UserError, match=r"Identical images with different labels: case 0 \[benign\] = case 1"):
        resolve(table, images_of("aab"), "error")
    assert len(resolve(table, images_of("abc"), "error").table) == 3


def test_indices_are_rows_of_the_loaded_images():
    table = make_table(np.array([0, 1, 0, 1], np.int32))
    resolved = resolve(table, images_of("xyx", kept=np.array([0, 2, 3])), "drop")
    assert resolved.table.cases == ("case 2",) and resolved.indices.tolist() == [1]


@pytest.fixture(scope="module")
def smooth_images():
    random = np.random.default_rng(0)
    return [cv2.GaussianBlur(random.integers(0, 256, (64, 64), np.uint8), (0, 0), 4) for _ in range(60)]


def test_near_duplicates_are_found(smooth_images):
    base = cv2.normalize(smooth_images[0], None, 0, 255, cv2.NORM_MINMAX)
    variants = {
        "resized": cv2.resize(cv2.resize(base, (48, 48), interpolation=cv2.INTER_AREA), (64, 64)),
        "brighter": np.clip(base * 0.9 + 10, 0, 255).astype(np.uint8),
        "compressed": cv2.imdecode(cv2.imencode(".jpg", base, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], 0),
    }
    pixels = np.stack([base, *variants.values(), *smooth_images[1:]])[..., None]
    pairs = near_duplicates(perceptual_hashes(pixels), np.arange(len(pixels)), distance=4)
    assert {(a, b) for a, b, _ in pairs} == {(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)}


def test_perceptual_hash_equals_its_definition(smooth_images):
    small = cv2.resize(smooth_images[0], (32, 32), interpolation=cv2.INTER_AREA).astype(float)
    k = np.arange(32)
    basis = np.cos(np.pi * (2 * k + 1) * k[:, None] / 64)
    basis[0] /= np.sqrt(2)
    low = (basis @ small @ basis.T)[:8, :8].ravel()[1:]
    bits = "0" + "".join("01"[int(value > np.median(low))] for value in low)
    assert int(perceptual_hashes(smooth_images[0][None, ..., None])[0]) == int(bits, 2)


def test_identical_images_are_not_near_duplicates():
    hashes = np.array([5, 5, 5, 4], np.uint64)
    assert near_duplicates(hashes, np.array([0, 0, 1, 2]), 0) == [(0, 2, 0)]
    assert near_duplicates(hashes, np.array([0, 0, 1, 2]), 1) == [(0, 2, 0), (0, 3, 1), (2, 3, 1)]


def test_busi_has_one_label_conflict(shared_data):
    config = DataConfig(path=str(shared_data / "busi"))
    table = read_table(config)
    images = load_images(table, config, 64)
    pairs = duplicate_clusters(find_duplicates(images.hashes))
    assert [[table.cases[row] for row in rows] for rows in pairs] == [
        ["benign/benign (433)", "malignant/malignant (145)"]
    ]
    assert len(resolve(table, images, "drop").table) == 622
