"""The command `python -m keras_radtl.phantoms`."""

from __future__ import annotations

import numpy as np

from keras_radtl.config import DataConfig
from keras_radtl.data.sources import read_table
from keras_radtl.phantoms import main


def test_writes_a_folder_and_reports_the_count(tmp_path, capsys):
    out = tmp_path / "out"
    assert main([str(out), "--count", "24", "--image-size", "32", "--seed", "3", "--difficulty", "0.2"]) == 0
    assert capsys.readouterr().out.startswith(f"24 images in {out}")
    np.testing.assert_array_equal(np.bincount(read_table(DataConfig(path=str(out))).targets), [13, 7, 4])


def test_existing_files_are_a_one_line_error(tmp_path, capsys):
    (tmp_path / "a").write_text("")
    assert main([str(tmp_path), "--count", "20"]) == 2
    assert capsys.readouterr().err == f"error: {tmp_path} is not empty. Choose another folder or use --overwrite\n"


def test_invalid_options_are_errors_and_write_nothing(tmp_path, capsys):
    for options in (["--count", "3"], ["--difficulty", "2"], ["--image-size", "8"], ["--seed", "-1"]):
        assert main([str(tmp_path / "out"), *options]) == 2
        assert "must be" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
