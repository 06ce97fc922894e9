"""Invalid input of `fit`: exit code 2, one line on stderr that names the problem, and no files."""

from __future__ import annotations

import csv
import os
import shutil

import pytest

from keras_radtl.runs.files import read_csv
from keras_radtl.training import checkpoint

OPTIONS = {
    "no such path": (["--data", "absent"], "absent"),
    "unknown option": (["--colour", "red"], "unrecognized arguments: --colour red"),
    "unknown key": (["--set", "training.speed=3"], "Unknown configuration key 'training.speed'"),
    "unknown preset": (["--preset", "nope"], "Unknown preset 'nope'"),
    "unknown backbone": (["--backbone", "nope"], "Unknown backbone 'nope'. Known: resnet50"),
    "unknown head": (["--head", "nope"], "nope"),
    "unknown weights": (["--weights", "nope"], "Unknown weights 'nope'"),
    "unknown scaling": (["--scaling", "nope"], "nope"),
    "unknown optimizer": (["--optimizer", "nope"], "Unknown optimizer 'nope'. Known: adam"),
    "unknown strategy": (["--strategy", "nope"], "Unknown strategy 'nope'. Known: fixed"),
    "unknown precision": (["--precision", "nope"], "nope"),
    "unknown positive class": (["--positive", "nope"], "nope"),
    "weights that are not there": (["--weights", "absent.pt"], "No such weight file: absent.pt"),
    "no weights for this backbone": (["--weights", "radimagenet"], "no RadImageNet weights for Tiny"),
    "too many groups": (["--unfreeze", "top9"], "--unfreeze must be at most top3"),
    "a rate of 0": (["--learning-rate", "0"], "--learning-rate must be in (0, 1e9]"),
    "a negative rate": (["--learning-rate", "-0.1"], "--learning-rate must be in (0, 1e9]"),
    "a decay below 0": (["--weight-decay", "-1"], "--weight-decay must be in [0, 1e6]"),
    "a batch of 0": (["--batch-size", "0"], "--batch-size must be in [1, 65536]"),
    "fewer epochs than phases": (["--strategy", "g_lf", "--epochs", "2"], "--epochs must be at least 4"),
    "images below the minimum": (
        ["--backbone", "efficientnet_lite0", "--image-size", "16"],
        "--image-size must be at least 32 pixels",
    ),
    "no GPU": (["--device", "gpu"], "TensorFlow found no GPU; use --device cpu or --device auto"),
    "more folds than cases": (["--folds", "50"], "in 30 groups"),
    "a cache below 0": (["--feature-cache-size", "-1"], "--feature-cache-size must be in [0, 1e6] gigabytes"),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_invalid_options_are_one_line_and_write_nothing(tiny_fit, tmp_path, refusal, monkeypatch, case):
    import tensorflow as tf

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda *_: [])
    options, message = OPTIONS[case]
    assert tiny_fit(tmp_path / "run", *options) == 2
    assert message in refusal()
    assert os.listdir(tmp_path) == []


def broken_empty(folder):
    shutil.rmtree(folder)
    folder.mkdir()


def broken_one_class(folder):
    shutil.rmtree(folder / "benign mass")


def broken(change):
    def make(folder):
        file = sorted((folder / "benign mass").iterdir())[0]
        file.write_bytes(change(file.read_bytes()))

    return make


FOLDERS = {
    "empty folder": (broken_empty, ""),
    "one class": (broken_one_class, ""),
    "truncated image": (broken(lambda content: content[: len(content) // 2]), "benign mass (0).png"),
    "zero bytes": (broken(lambda content: b""), "benign mass (0).png"),
    "text with an image's name": (broken(lambda content: b"no image"), "benign mass (0).png"),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_invalid_folders_are_one_line_and_write_nothing(tiny_fit, pictures, tmp_path, refusal, case):
    breaking, message = FOLDERS[case]
    shutil.copytree(pictures, tmp_path / "data")
    breaking(tmp_path / "data")
    assert tiny_fit(tmp_path / "run", "--data", str(tmp_path / "data")) == 2
    assert message in refusal() and os.listdir(tmp_path) == ["data"]


def test_unusable_images_can_be_skipped(tiny_fit, pictures, tmp_path):
    shutil.copytree(pictures, tmp_path / "data")
    FOLDERS["zero bytes"][0](tmp_path / "data")
    options = ("--epochs", "1", "--on-bad-image", "skip")
    assert tiny_fit(tmp_path / "run", "--data", str(tmp_path / "data"), *options) == 0
    (row,) = read_csv(tmp_path / "run" / "rejected.csv")
    assert row["path"] == "benign mass/benign mass (0).png" and row["reason"]


def rows_of(pictures, **extra):
    files = sorted(pictures.rglob("*.png"))
    return [{"path": str(file.relative_to(pictures)), "label": file.parent.name, **extra} for file in files]


def patient_in_two_parts(rows):
    for number, row in enumerate(rows):
        row["patient"], row["split"] = f"p{number // 2}", ("train", "val", "test")[number % 3]


TABLES = {
    "no label column": (lambda rows: [row.pop("label") for row in rows], [], "label"),
    "a label column that is not there": (lambda rows: None, ["--label", "finding"], "finding"),
    "a missing file": (lambda rows: rows[3].update(path="absent.png"), [], "absent.png"),
    "an empty label": (lambda rows: rows[3].update(label=""), [], ""),
    "a path out of the folder": (lambda rows: rows[3].update(path="../secret.png"), [], "../secret.png"),
    "an absolute path": (lambda rows: rows[3].update(path="/etc/passwd"), [], "/etc/passwd"),
    "one label": (lambda rows: [row.update(label="x") for row in rows], [], ""),
    "a patient in two parts": (patient_in_two_parts, [], "Group `p0`"),
    "an unknown part": (lambda rows: [row.update(split="holdout") for row in rows], [], "holdout"),
}


@pytest.mark.parametrize("case", TABLES)
def test_invalid_tables_are_one_line_and_write_nothing(tiny_fit, pictures, tmp_path, refusal, case):
    change, options, message = TABLES[case]
    rows = rows_of(pictures)
    change(rows)
    shutil.copytree(pictures, tmp_path / "data")
    with open(tmp_path / "data" / "cases.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    assert tiny_fit(tmp_path / "run", "--data", str(tmp_path / "data" / "cases.csv"), *options) == 2
    assert message in refusal() and os.listdir(tmp_path) == ["data"]


WEIGHTS = ("weights.pt", "weights.keras", "weights.weights.h5")


@pytest.mark.parametrize("name", ["weights.h5", *(pytest.param(name, marks=pytest.mark.slow) for name in WEIGHTS)])
def test_invalid_weight_files_are_one_line_and_write_nothing(tiny_fit, tmp_path, refusal, name):
    (tmp_path / name).write_bytes(b"no weights")
    assert tiny_fit(tmp_path / "run", "--backbone", "efficientnet_lite0", "--weights", str(tmp_path / name)) == 2
    assert name in refusal() and os.listdir(tmp_path) == [name]


def test_output_that_is_not_a_run_is_an_error(tiny_fit, tmp_path, refusal):
    (tmp_path / "file").write_text("x")
    assert tiny_fit(tmp_path / "file") == 2
    assert "--output must be a folder" in refusal()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("x")
    assert tiny_fit(tmp_path / "other", "--overwrite") == 2
    assert "contains other files" in refusal() and (tmp_path / "other" / "thesis.tex").exists()


@pytest.mark.parametrize(("code", "text"), [(28, "No space left on device"), (30, "Read-only file system")])
@pytest.mark.parametrize("where", ["before the first file", "at the first checkpoint"])
def test_disk_errors_are_one_line(tiny_fit, tmp_path, refusal, monkeypatch, code, text, where):
    from keras_radtl.runs import directory

    def fail(*_, **__):
        raise OSError(code, text, "x")

    patches = {
        "before the first file": (directory.os, "fsync"),
        "at the first checkpoint": (checkpoint.np, "savez"),
    }
    monkeypatch.setattr(*patches[where], fail)
    monkeypatch.setenv("KERAS_RADTL_CACHE", str(tmp_path / "cache"))
    assert tiny_fit(tmp_path / "run", "--unfreeze", "top1") == 2
    assert text in refusal()
    assert (where == "before the first file") == (not (tmp_path / "run").exists())
    assert not list(tmp_path.rglob(".tmp-*"))


def test_feature_store_that_cannot_be_written_is_a_warning(tiny_fit, tmp_path, monkeypatch, caplog):
    from keras_radtl.training.feature_store import FeatureStore

    def fail(*_, **__):
        raise OSError(28, "No space left on device", "x")

    monkeypatch.setattr(FeatureStore, "_new", fail)
    monkeypatch.setenv("KERAS_RADTL_CACHE", str(tmp_path / "cache"))
    assert tiny_fit(tmp_path / "run", "--unfreeze", "top1", "--epochs", "1") == 0
    assert "cannot be written (No space left on device)" in caplog.text
