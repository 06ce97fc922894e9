"""The format of the data is detected from the path."""

from __future__ import annotations

import os

import pytest

from keras_radtl.config import DataConfig, PhantomConfig, UserError
from keras_radtl.data.sources import read_table

ROWS = "path{0}label\na.png{0}x\nb.png{0}y\n"


@pytest.mark.parametrize(("name", "separator"), [("a.csv", ","), ("a.TSV", "\t"), ("a.txt", ";")])
def test_tables_are_read_by_suffix(tmp_path, write_image, name, separator):
    write_image("a.png")
    write_image("b.png")
    (tmp_path / name).write_text(ROWS.format(separator))
    assert read_table(DataConfig(path=str(tmp_path / name))).labels == ("x", "y")


def test_home_folder_is_expanded(tmp_path, write_image, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("a", "b"):
        write_image(f"images/{name}/1.png")
    assert read_table(DataConfig(path="~/images")).classes == ("a", "b")


def test_other_files_and_missing_paths_are_errors(tmp_path):
    (tmp_path / "a.dcm").write_bytes(b"x")
    with pytest.raises(UserError, match=r"`data` must be a folder, a .csv, .*Received: '.*a.dcm'"):
        read_table(DataConfig(path=str(tmp_path / "a.dcm")))
    for path in (str(tmp_path / "b.csv"), "~no_such_user/x"):
        with pytest.raises(UserError, match="No such file or folder"):
            read_table(DataConfig(path=path))


@pytest.mark.parametrize(
    ("groups", "source"),
    [("auto", "simulated patients"), ("none", "off"), (r"re:\((\d+)\)", r"expression \((\d+)\)")],
)
def test_groups_of_phantoms(groups, source):
    table = read_table(DataConfig(groups=groups, phantoms=PhantomConfig(count=20, image_size=32)))
    assert table.group_source == source


@pytest.mark.parametrize("name", ["x.csv", "x.npz", "x.png"])
def test_pipes_are_never_opened(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(UserError, match="`data` must be a folder or a regular file"):
        read_table(DataConfig(path=str(tmp_path / name)))


def test_paths_that_cannot_be_are_one_line(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in ("x" * 4000, str(tmp_path / "loop"), "~nosuchuser/x"):
        with pytest.raises(UserError, match=r"No such file or folder|File name too long"):
            read_table(DataConfig(path=path))


def test_phantoms_have_no_label_columns():
    with pytest.raises(UserError, match="^`label` is for tables: simulated images have no columns"):
        read_table(DataConfig(label="x"))


def test_more_phantoms_than_memory_are_refused_at_once():
    with pytest.raises(UserError, match="`count`: 1000000 images need .* GiB of memory"):
        read_table(DataConfig(phantoms=PhantomConfig(count=1_000_000, image_size=1024)))
