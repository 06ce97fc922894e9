"""From a configuration to pixels, targets and splits that fit together."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from keras_radtl.config import Config, DataConfig, PhantomConfig, SplitConfig, UserError
from keras_radtl.data.dataset import load_dataset
from keras_radtl.data.images import resize_image

RANDOM = np.random.default_rng(0)


@pytest.fixture
def folder(tmp_path):
    """Write 30 benign and 30 malignant images; two identical ones agree on the label, two do not."""
    for name in ("benign", "malignant"):
        (tmp_path / name).mkdir()
        for i in range(30):
            Image.fromarray(RANDOM.integers(0, 256, (12, 12), np.uint8)).save(tmp_path / name / f"{i}.png")
    (tmp_path / "benign" / "1.png").write_bytes((tmp_path / "benign" / "0.png").read_bytes())
    Image.open(tmp_path / "benign" / "2.png").convert("RGB").save(tmp_path / "malignant" / "2.png")
    return tmp_path


def config_of(path, folds=None, seed=0, **data):
    return Config(data=DataConfig(path=str(path), **data), split=SplitConfig(folds=folds), seed=seed)


def test_rows_of_table_pixels_and_splits_agree(folder, caplog):
    dataset = load_dataset(config_of(folder), 8)
    assert len(dataset.table) == len(dataset.pixels) == 58 and dataset.pixels.shape[1:] == (8, 8, 1)
    for row, path in enumerate(dataset.table.paths):
        original = resize_image(np.array(Image.open(folder / path)), 8)
        np.testing.assert_array_equal(dataset.pixels[row, ..., 0], original)
        assert dataset.table.targets[row] == path.startswith("malignant")
    (split,) = dataset.splits
    assert sorted(np.concatenate([split.train, split.val, split.test])) == list(range(58))
    assert [item.path for item in dataset.rejected] == ["benign/2.png", "malignant/2.png"]
    assert "left out: identical images with different labels: benign/2.png" in caplog.text
    assert "identical images kept on one side: 2 in 1 clusters" in dataset.table.notes


def test_identical_images_share_a_fold(folder):
    for seed in range(5):
        dataset = load_dataset(config_of(folder, folds=5, seed=seed), 8)
        twins = {dataset.table.cases.index("benign/0"), dataset.table.cases.index("benign/1")}
        for split in dataset.splits:
            assert len(twins & set(split.test.tolist())) in (0, 2)


def test_same_data_same_fingerprint(folder):
    first, again = load_dataset(config_of(folder), 8), load_dataset(config_of(folder, seed=1), 12)
    assert first.fingerprint == again.fingerprint
    assert first.fingerprint != load_dataset(config_of(folder, positive="benign"), 8).fingerprint
    assert first.fingerprint != load_dataset(config_of(folder, groups=r"re:(\d)\.png"), 8).fingerprint
    Image.fromarray(RANDOM.integers(0, 256, (12, 12), np.uint8)).save(folder / "benign" / "9.png")
    assert first.fingerprint != load_dataset(config_of(folder), 8).fingerprint


def test_mapped_pixels_lose_the_conflicts_too(folder, tmp_path_factory, monkeypatch):
    monkeypatch.setattr("keras_radtl.data.images.default_memory_limit", lambda: 100)
    cache = tmp_path_factory.mktemp("cache")
    mapped = load_dataset(config_of(folder), 8, cache)
    assert isinstance(mapped.pixels, np.memmap) and len(mapped.pixels) == 58
    monkeypatch.undo()
    np.testing.assert_array_equal(mapped.pixels, load_dataset(config_of(folder), 8).pixels)


def test_bad_images_error_or_skipped(folder):
    (folder / "benign" / "5.png").write_bytes(b"")
    with pytest.raises(UserError, match="Cannot use image benign/5.png: the file is empty"):
        load_dataset(config_of(folder), 8)
    dataset = load_dataset(config_of(folder, on_bad_image="skip"), 8)
    assert [item.path for item in dataset.rejected] == ["benign/5.png", "benign/2.png", "malignant/2.png"]
    assert "images left out: 3 (rejected.csv says why)" in dataset.table.notes


def test_a_class_can_be_lost_to_conflicts(tmp_path):
    for name in ("benign", "malignant"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.eye(9, dtype=np.uint8)).save(tmp_path / name / "1.png")
    with pytest.raises(UserError, match=r"Class `benign` is in 0 group\(s\)"):
        load_dataset(config_of(tmp_path), 8)


def test_phantoms_are_grouped_by_patient():
    config = Config(data=DataConfig(positive="malignant", phantoms=PhantomConfig(count=80, image_size=32)))
    dataset = load_dataset(config, 32)
    assert dataset.table.classes == ("other", "malignant") and len(set(dataset.table.groups)) < len(dataset.table)
    (split,) = dataset.splits
    parts = [{dataset.table.groups[i] for i in rows} for rows in (split.train, split.val, split.test)]
    assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]


def test_real_breast_ultrasound_in_five_folds(shared_data):
    dataset = load_dataset(config_of(shared_data / "busi", folds=5, positive="malignant"), 32)
    assert len(dataset.table) == 622 and [len(split.test) for split in dataset.splits] == [125, 125, 124, 124, 124]
    assert [int(dataset.table.targets[split.test].sum()) for split in dataset.splits] == [34, 34, 33, 33, 33]
