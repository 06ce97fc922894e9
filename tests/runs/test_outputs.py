"""Outputs are refused before any work, and the check leaves nothing behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from keras_radtl.config import UserError
from keras_radtl.runs.outputs import check_output_file, check_output_folder


def make_loop(folder: Path) -> str:
    (folder / "loop").symlink_to("loop")
    return "loop/x"


def make_file(folder: Path) -> str:
    (folder / "file").write_text("x")
    return "file/sub"


def make_pipe(folder: Path) -> str:
    os.mkfifo(folder / "pipe")
    return "pipe"


@pytest.mark.parametrize("check", [check_output_folder, check_output_file])
@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "must be a path"),
        ("a\0b", "must be a path"),
        ("a\ud800", "must be a path"),
        ("~/x", "with the home folder written out instead of ~"),
        ("x" * 300, "names of at most"),
        ("x/" * 2500, "a path of at most"),
        ("/proc/x", "cannot be written"),
        ("/dev/null", "must be a"),
        (make_loop, "link to itself"),
        (make_file, "cannot be written"),
        (make_pipe, "neither a file nor a folder"),
    ],
)
def test_paths_that_cannot_be_written(tmp_path, monkeypatch, check, path, reason):
    monkeypatch.chdir(tmp_path)
    path = path if isinstance(path, str) else path(tmp_path)
    before = os.listdir(tmp_path)
    with pytest.raises(UserError, match=reason):
        check(path)
    assert os.listdir(tmp_path) == before


def test_paths_that_can_be_written_are_not_made(tmp_path):
    check_output_folder(tmp_path / "a" / "b")
    check_output_file(tmp_path / "a" / "b" / "c.csv")
    assert os.listdir(tmp_path) == []


def test_folders_and_files_that_exist(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("x")
    (tmp_path / "link").symlink_to("folder")
    check_output_folder(tmp_path / "folder")
    check_output_folder(tmp_path / "link")
    check_output_file(tmp_path / "folder" / "file")
    for refused in (
        lambda: check_output_folder(tmp_path / "folder", empty=True),
        lambda: check_output_folder(tmp_path / "folder" / "file"),
        lambda: check_output_file(tmp_path / "folder"),
        lambda: check_output_file(tmp_path / "folder" / "file", overwrite=False),
        lambda: check_output_file(tmp_path / "folder" / "file", inputs=[tmp_path / "link" / "file"]),
    ):
        with pytest.raises(UserError, match="`output`"):
            refused()


def test_files_of_a_run_are_never_outputs(tmp_path):
    for name in ("config.json", "status.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(UserError, match="outside a run directory"):
        check_output_file(tmp_path / "new.csv")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="Permission denied"):
        check_output_file(tmp_path / "new.csv")
    tmp_path.chmod(0o700)
