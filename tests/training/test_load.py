"""Loading the dataset of a plan."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest

from keras_radtl.config import Config, UserError
from keras_radtl.training.load import read_data
from keras_radtl.training.plan import make_plan
from keras_radtl.training.train import load_data

PHANTOMS = {"data.phantoms": {"count": 40, "image_size": 32}, "image_size": 32}


def test_images_and_groups_are_logged(tmp_path, caplog):
    caplog.set_level("INFO")
    dataset = read_data(make_plan(Config.preset(**PHANTOMS)), tmp_path)
    benign, malignant = np.bincount(dataset.cases.targets)
    groups = len(set(dataset.cases.groups))
    content = f"{benign} {dataset.cases.classes[0]}, {malignant} malignant"
    assert f"data: phantoms, 40 images ({content}), {groups} groups" in caplog.text


def test_image_size_and_split_are_those_of_the_plan(tmp_path):
    plan = make_plan(Config.preset(**{**PHANTOMS, "image_size": 48, "folds": 3, "seed": 2}))
    dataset = read_data(plan, tmp_path)
    assert dataset.pixels.shape[1:3] == (48, 48) and [split.fold for split in dataset.splits] == [1, 2, 3]
    other = read_data(make_plan(Config.preset(**{**PHANTOMS, "image_size": 48, "folds": 3, "seed": 3})), tmp_path)
    assert [split.test.tolist() for split in dataset.splits] != [split.test.tolist() for split in other.splits]


def test_load_data_equals_read_data(tmp_path):
    config = Config.preset(**PHANTOMS)
    first, second = load_data(config), read_data(make_plan(config), tmp_path)
    assert first.fingerprint == second.fingerprint and np.array_equal(first.pixels, second.pixels)


def test_mapped_pixels_are_removed_with_the_dataset(monkeypatch):
    monkeypatch.setattr("keras_radtl.data.images.default_memory_limit", lambda: 100)
    dataset = load_data(Config.preset(**PHANTOMS))
    assert isinstance(dataset.pixels, np.memmap)
    folder = Path(dataset.pixels.filename).parent
    assert folder.is_dir()
    del dataset
    gc.collect()
    assert not folder.exists()


def test_missing_data_are_an_error():
    with pytest.raises(UserError, match="absent"):
        load_data(Config.preset(data="absent", image_size=32))
