"""The command `predict`: probabilities of new images in the given order."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from keras_radtl.predict import main
from keras_radtl.runs.new_images import list_images

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
