"""The command `predict`: probabilities of new images in the given order."""

from __future__ import annotations

import csv
import os
import shutil

import numpy as np
import pytest

from keras_radtl.config import UserError
from keras_radtl.predict import main
from keras_radtl.runs.new_images import list_images
from keras_radtl.runs.run import load_run

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")


@pytest.fixture(scope="module")
def run(tiny_fit, tmp_path_factory):
    folder = tmp_path_factory.mktemp("predict") / "run"
    assert tiny_fit(folder, "--epochs", "1") == 0
    return folder


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_predictions_of_new_images_are_in_the_given_order(run, pictures, tmp_path):
    tested = rows(run / "predictions_test.csv")[::-1]
    files = [str(pictures / row["path"]) for row in tested]
    assert main([str(run), *files, "--output", str(tmp_path / "new.csv")]) == 0
    found = rows(tmp_path / "new.csv")
    assert [row["path"] for row in found] == files
    assert [row["predicted"] for row in found] == [row["predicted"] for row in tested]
    for column in [name for name in tested[0] if name.startswith(("logit_", "prob_"))]:
        new, old = ([float(row[column]) for row in table] for table in (found, tested))
        np.testing.assert_allclose(new, old, atol=1e-5)


def test_images_of_a_folder_are_sorted(pictures):
    files = list_images([str(pictures)])
    assert len(files) == 60
    assert files == sorted(files)


def test_a_folder_has_the_images_that_fit_reads(tmp_path, caplog):
    for name in ("a.png", "a_mask.png", "b_Mask.PNG", ".c.png", "__MACOSX/d.png", "sub_mask/e.png", "f.txt"):
        (tmp_path / "images" / "benign" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / "benign" / name).touch()
    folder = str(tmp_path / "images")
    with caplog.at_level("INFO"):
        files = list_images([folder])
    assert files == [f"{folder}/benign/a.png", f"{folder}/benign/sub_mask/e.png"]
    assert caplog.messages == [f"{folder}: excluded: files with _mask in their name: 2"]
    mask = f"{folder}/benign/a_mask.png"
    assert list_images([mask]) == [mask]
    for name in ("a.png", "sub_mask/e.png"):
        (tmp_path / "images" / "benign" / name).unlink()
    with pytest.raises(UserError, match="no image .*; excluded files with _mask in their name: 2"):
        list_images([folder])


def test_default_output_is_the_terminal(run, pictures, capsys):
    assert main([str(run), str(next(pictures.rglob("*.png")))]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("path,predicted,logit_")
    assert len(lines) == 2


@pytest.mark.parametrize("which", ["missing", "empty folder", "not an image", "not a run"])
def test_invalid_input_is_one_line_and_writes_nothing(run, pictures, tmp_path, capsys, which):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.png").write_text("text")
    image, folder = str(next(pictures.rglob("*.png"))), str(run)
    arguments = {
        "missing": [folder, str(tmp_path / "no.png")],
        "empty folder": [folder, str(tmp_path / "empty")],
        "not an image": [folder, image, str(tmp_path / "text.png")],
        "not a run": [str(tmp_path / "empty"), image],
    }[which]
    assert main([*arguments, "--output", str(tmp_path / "new.csv")]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert not (tmp_path / "new.csv").exists()


def test_existing_file_is_replaced_only_on_request(run, pictures, tmp_path, capsys):
    image, output = str(next(pictures.rglob("*.png"))), tmp_path / "new.csv"
    output.write_text("thesis")
    assert main([str(run), image, "--output", str(output)]) == 2
    assert "--overwrite" in capsys.readouterr().err and output.read_text() == "thesis"
    assert main([str(run), image, "--output", str(output), "--overwrite"]) == 0
    assert capsys.readouterr().out == f"1 image -> {output}\n" and len(rows(output)) == 1


def test_bad_images_can_be_skipped_and_are_listed(run, pictures, tmp_path, capsys):
    shutil.copytree(pictures, tmp_path / "data")
    (tmp_path / "data" / "benign mass" / "bad.png").write_text("text")
    (tmp_path / "data" / "benign mass" / "._x.png").write_text("metadata of macOS")
    argv = [str(run), str(tmp_path / "data"), "--output", str(tmp_path / "new.csv")]
    assert main(argv) == 2 and sorted(os.listdir(tmp_path)) == ["data"]
    assert "bad.png" in capsys.readouterr().err
    assert main([*argv, "--on-bad-image", "skip"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == f"60 images -> {tmp_path / 'new.csv'}" and out[1].startswith("1 image skipped -> ")
    (rejected,) = rows(tmp_path / "new_rejected.csv")
    assert rejected["path"].endswith("bad.png") and rejected["reason"]
    assert len(rows(tmp_path / "new.csv")) == 60
    frame = load_run(run).predict(tmp_path / "data", on_bad_image="skip")
    assert len(frame) == 60 and not frame["path"].str.contains("bad.png").any()


def test_no_file_of_bad_images_is_left_from_before(run, pictures, tmp_path):
    image, old = str(next(pictures.rglob("*.png"))), tmp_path / "new_rejected.csv"
    old.write_text("path,reason\n")
    argv = [str(run), image, "--output", str(tmp_path / "new.csv"), "--on-bad-image", "skip", "--overwrite"]
    assert main(argv) == 0 and not old.exists()
