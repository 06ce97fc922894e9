"""Loading a data set: cases, pixels and splits refer to the same rows."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from keras_radtl.config import DataConfig, PhantomConfig, SplitConfig, UserError
from keras_radtl.data.dataset import load_dataset
from keras_radtl.data.images import resize_image

RANDOM = np.random.default_rng(0)


@pytest.fixture
def folder(tmp_path):
    """Write 30 benign and 30 malignant images: two identical images have equal labels, two others do not."""
    for name in ("benign", "malignant"):
        (tmp_path / name).mkdir()
        for i in range(30):
            Image.fromarray(RANDOM.integers(0, 256, (12, 12), np.uint8)).save(tmp_path / name / f"{i}.png")
    (tmp_path / "benign" / "1.png").write_bytes((tmp_path / "benign" / "0.png").read_bytes())
    Image.open(tmp_path / "benign" / "2.png").convert("RGB").save(tmp_path / "malignant" / "2.png")
    return tmp_path


def load(path, size=8, folds=None, seed=0, cache=None, **data):
    return load_dataset(DataConfig(path=str(path), **data), SplitConfig(folds=folds), seed, size, cache)


def test_cases_pixels_and_splits_have_the_same_rows(folder, caplog):
    dataset = load(folder)
    assert len(dataset.cases) == len(dataset.pixels) == 58 and dataset.pixels.shape[1:] == (8, 8, 1)
    for row, path in enumerate(dataset.cases.paths):
        original = resize_image(np.array(Image.open(folder / path)), 8)
        np.testing.assert_array_equal(dataset.pixels[row, ..., 0], original)
        assert dataset.cases.targets[row] == path.startswith("malignant")
    (split,) = dataset.splits
    assert sorted(np.concatenate([split.train, split.val, split.test])) == list(range(58))
    assert [item.path for item in dataset.rejected] == ["benign/2.png", "malignant/2.png"]
    assert "excluded: identical images with different labels: benign/2.png" in caplog.text
    assert "identical images kept in the same part: 2 in 1 cluster" in dataset.cases.notes


def test_identical_images_share_a_fold(folder):
    for seed in range(5):
        dataset = load(folder, folds=5, seed=seed)
        twins = {dataset.cases.cases.index("benign/0"), dataset.cases.cases.index("benign/1")}
        for split in dataset.splits:
            assert len(twins & set(split.test.tolist())) in (0, 2)


def test_fingerprint_depends_only_on_the_data(folder):
    first, again = load(folder), load(folder, 12, seed=1)
    assert first.fingerprint == again.fingerprint
    assert first.fingerprint != load(folder, positive="benign").fingerprint
    assert first.fingerprint != load(folder, groups=r"re:(\d)\.png").fingerprint
    Image.fromarray(RANDOM.integers(0, 256, (12, 12), np.uint8)).save(folder / "benign" / "9.png")
    assert first.fingerprint != load(folder).fingerprint


def test_conflicts_are_excluded_from_memory_mapped_pixels(folder, tmp_path_factory, monkeypatch):
    monkeypatch.setattr("keras_radtl.data.images.default_memory_limit", lambda: 100)
    cache = tmp_path_factory.mktemp("cache")
    mapped = load(folder, cache=cache)
    assert isinstance(mapped.pixels, np.memmap) and len(mapped.pixels) == 58
    monkeypatch.undo()
    np.testing.assert_array_equal(mapped.pixels, load(folder).pixels)


def test_unusable_images_are_an_error_or_excluded(folder):
    (folder / "benign" / "5.png").write_bytes(b"")
    with pytest.raises(UserError, match="Cannot use image benign/5.png: the file is empty"):
        load(folder)
    dataset = load(folder, on_bad_image="skip")
    assert [item.path for item in dataset.rejected] == ["benign/5.png", "benign/2.png", "malignant/2.png"]
    assert "images excluded: 3 (reasons in rejected.csv)" in dataset.cases.notes


def test_conflicts_can_exclude_a_whole_class(tmp_path):
    for name in ("benign", "malignant"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.eye(9, dtype=np.uint8)).save(tmp_path / name / "1.png")
    with pytest.raises(UserError, match="Class `benign` is in 0 groups"):
        load(tmp_path)


def test_phantoms_are_grouped_by_patient():
    dataset = load("phantoms", 32, positive="malignant", phantoms=PhantomConfig(count=80, image_size=32))
    assert dataset.cases.classes == ("other", "malignant") and len(set(dataset.cases.groups)) < len(dataset.cases)
    (split,) = dataset.splits
    parts = [{dataset.cases.groups[i] for i in rows} for rows in (split.train, split.val, split.test)]
    assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]


def test_real_breast_ultrasound_in_five_folds(shared_data):
    dataset = load(shared_data / "busi", 32, folds=5, positive="malignant")
    assert len(dataset.cases) == 622 and [len(split.test) for split in dataset.splits] == [125, 125, 124, 124, 124]
    assert [int(dataset.cases.targets[split.test].sum()) for split in dataset.splits] == [34, 34, 33, 33, 33]


def test_table_has_a_row_per_case_with_its_part(folder):
    dataset = load(folder)
    assert dataset.table.index.name == "case" and list(dataset.table.index) == list(dataset.cases.cases)
    assert {"path", "group", "label", "split"} <= set(dataset.table.columns)
    (split,) = dataset.splits
    for part in ("train", "val", "test"):
        rows = sorted(getattr(split, part))
        assert list(dataset.table.index[dataset.table["split"] == part]) == [dataset.cases.cases[row] for row in rows]
    folds = load(folder, folds=3).table
    assert list(folds.columns[-3:]) == ["fold_1", "fold_2", "fold_3"]
    assert (folds[["fold_1", "fold_2", "fold_3"]] == "test").sum(axis=1).eq(1).all()


def test_summary_counts_images_and_groups(folder):
    summary = load(folder).summary()
    assert list(summary.index) == ["benign", "malignant", "total"] and summary.index.name == "class"
    assert summary["images"].tolist() == [29, 29, 58] and summary.loc["total", "groups"] == 58
    assert summary[["train", "val", "test"]].sum(axis=1).tolist() == [29, 29, 58]
    folds = load(folder, folds=3).summary()
    assert folds[["fold_1", "fold_2", "fold_3"]].sum(axis=1).tolist() == [29, 29, 58]


def test_summary_of_a_multi_label_data_set(tmp_path):
    rows = ["path,group,edema,mass"]
    for i in range(40):
        Image.fromarray(RANDOM.integers(0, 256, (12, 12), np.uint8)).save(tmp_path / f"{i}.png")
        rows.append(f"{i}.png,g{i // 2},{i % 2},{int(i % 4 == 3)}")
    (tmp_path / "cases.csv").write_text("\n".join(rows))
    summary = load(tmp_path / "cases.csv", labels=("edema", "mass")).summary()
    assert summary["images"].to_dict() == {"edema": 20, "mass": 10, "total": 40}
    assert summary["groups"].to_dict() == {"edema": 20, "mass": 10, "total": 20}


def test_repr_and_html(folder):
    dataset = load(folder)
    assert repr(dataset) == f"Dataset({dataset.cases.name!r}, 58 images of 8 x 8 x 1, 1 split)"
    assert repr(load(folder, folds=3)).endswith("3 folds)")
    html = dataset._repr_html_()
    assert "58 images of 8 x 8 x 1" in html and html.count("<table") == 1
