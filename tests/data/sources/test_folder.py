"""Folders of class folders, with and without split folders."""

from __future__ import annotations

import os
import socket

import pytest

from keras_radtl.config import DataConfig, UserError
from keras_radtl.data.sources import read_table
from keras_radtl.data.table import GROUPS_OFF, NO_GROUPS, sort_classes


def read(path, **options):
    return read_table(DataConfig(path=str(path), **options))


@pytest.fixture
def busi_like(write_image, tmp_path):
    for number in (1, 2, 10):
        write_image(f"benign/benign ({number}).png", number)
        write_image(f"malignant/malignant ({number}).png", number + 50)
    write_image("normal/normal (1).png", 99)
    return tmp_path


def test_class_folders(busi_like):
    table = read(busi_like)
    assert table.classes == ("benign", "malignant", "normal") and table.targets.tolist() == [0, 0, 0, 1, 1, 1, 2]
    assert table.paths[0] == "benign/benign (1).png" and table.cases[0] == "benign/benign (1)"
    assert table.groups == table.cases and table.group_source == NO_GROUPS
    assert "no patient groups known" in table.notes[-1] and table.predefined_splits == ()
    assert read(busi_like, positive="malignant").classes == ("other", "malignant")


def test_masks_hidden_files_and_other_formats_are_excluded_and_counted(busi_like, write_image):
    write_image("benign/benign (1)_mask.png")
    write_image("benign/benign (1)_mask_1.png")
    (busi_like / "benign" / "Thumbs.db").write_bytes(b"x")
    (busi_like / "benign" / "scan.dcm").write_bytes(b"x")
    (busi_like / "benign" / ".DS_Store").write_bytes(b"x")
    (busi_like / ".git").mkdir()
    (busi_like / "empty").mkdir()
    table = read(busi_like)
    assert len(table) == 7
    notes = "\n".join(table.notes)
    for part in ("_mask in their name: 2", "(.dcm): 1", "(.db): 1", "hidden files: 1", "without images (empty): 1"):
        assert part in notes


@pytest.mark.parametrize(
    "names", [("train", "val", "test"), ("Train", "Validation", "TEST"), ("training", "valid", "testing")]
)
def test_split_folders(tmp_path, write_image, names):
    for seed, part in enumerate(names):
        write_image(f"{part}/a/1.png", seed)
        write_image(f"{part}/b/deep/1.png", seed + 10)
    table = read(tmp_path)
    part_of = dict(zip(table.paths, table.predefined_splits[0], strict=True))
    assert part_of == {
        f"{folder}/{name}": part
        for folder, part in zip(names, ("train", "val", "test"), strict=True)
        for name in ("a/1.png", "b/deep/1.png")
    }
    assert table.classes == ("a", "b")


def test_split_folders_and_other_folders_are_an_error(tmp_path, write_image):
    write_image("train/a/1.png")
    write_image("benign/1.png")
    with pytest.raises(UserError, match=r"both split folders \(train\) and other folders \(benign\)"):
        read(tmp_path)


def test_two_folders_for_one_part_are_an_error(tmp_path):
    for name in ("train", "val", "valid"):
        (tmp_path / name).mkdir()
    with pytest.raises(UserError, match="several folders for val: val, valid"):
        read(tmp_path)


def test_missing_images_and_classes_are_errors(tmp_path, write_image):
    with pytest.raises(UserError, match="No such file or folder"):
        read(tmp_path / "missing")
    with pytest.raises(UserError, match="No images in class folders"):
        read(tmp_path)
    (tmp_path / "benign").mkdir()
    (tmp_path / "benign" / "a.dcm").write_bytes(b"x")
    with pytest.raises(UserError, match=r"No images in class folders: .*\.dcm"):
        read(tmp_path)
    write_image("benign/a.png")
    with pytest.raises(UserError, match="At least two classes are needed. Found: benign"):
        read(tmp_path)


def test_links_that_leave_the_root_are_errors(busi_like, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "secret.png"
    outside.write_bytes(b"x")
    link = busi_like / "benign" / "link.png"
    link.symlink_to(outside)
    with pytest.raises(UserError, match=r"benign/link.png is a link that leaves the data root"):
        read(busi_like)
    link.unlink()
    (busi_like / "cyst").symlink_to(outside.parent)
    with pytest.raises(UserError, match="cyst/secret.png is a link that leaves"):
        read(busi_like)


def test_links_inside_the_root_are_read(busi_like):
    (busi_like / "benign" / "copy.png").symlink_to(busi_like / "benign" / "benign (1).png")
    assert len(read(busi_like)) == 8


def test_pipes_are_errors(busi_like):
    os.mkfifo(busi_like / "benign" / "pipe.png")
    with pytest.raises(UserError, match="pipe.png is not a regular file"):
        read(busi_like)


def test_groups_by_regular_expression(busi_like):
    table = read(busi_like, groups=r"re:\((\d+)\)")
    assert table.groups == ("1", "10", "2", "1", "10", "2", "1") and table.group_source.startswith("expression")
    assert read(busi_like, groups="none").group_source == GROUPS_OFF


def test_busi(shared_data):
    table = read(shared_data / "busi", positive="malignant")
    assert len(table) == 624 and table.classes == ("other", "malignant")
    assert int(table.targets.sum()) == sum(label == "malignant" for label in table.labels) == 168


def make_strange(kind, path):
    """Make something with the name of an image that is no regular file; returns what must be closed."""
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "link loop":
        path.symlink_to(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        found = socket.socket(socket.AF_UNIX)
        found.bind(os.path.relpath(path))  # such names are short
        return found


@pytest.mark.parametrize("kind", ["pipe", "socket", "folder", "link loop", "device"])
def test_what_is_no_file_is_named_and_never_opened(busi_like, kind, monkeypatch):
    monkeypatch.chdir(busi_like)
    opened = make_strange(kind, busi_like / "benign" / "x.png")
    with pytest.raises(UserError, match=r"benign/x.png"):
        read(busi_like)
    table = read(busi_like, on_bad_image="skip")
    assert len(table) == 7 and [item.path for item in table.rejected] == ["benign/x.png"]
    if opened:
        opened.close()


def test_metadata_of_macos_is_excluded_and_counted(busi_like):
    (busi_like / "benign" / "._benign (1).png").write_bytes(b"\0\5\x16\7")
    (busi_like / "__MACOSX" / "benign").mkdir(parents=True)
    table = read(busi_like)
    assert len(table) == 7 and "excluded: metadata files of macOS (._*): 1" in table.notes


def test_metadata_of_macos_beside_split_folders(tmp_path, write_image):
    for seed, part in enumerate(("train", "test")):
        write_image(f"{part}/a/1.png", seed)
        write_image(f"{part}/b/1.png", seed + 10)
    (tmp_path / "__MACOSX").mkdir()
    assert len(read(tmp_path)) == 4


def test_names_that_are_not_utf8_can_be_skipped(busi_like):
    (busi_like / "benign" / os.fsdecode(b"\xff.png")).write_bytes(b"x")
    (table,) = [read(busi_like, on_bad_image="skip")]
    assert len(table) == 7 and table.rejected[0].path == r"benign/\xff.png"


@pytest.mark.parametrize("options", [{"label": "finding"}, {"labels": ("a", "b")}])
def test_folders_have_no_label_columns(busi_like, options):
    name = next(iter(options))
    with pytest.raises(UserError, match=f"^`{name}` is for tables: a folder of class folders has no columns"):
        read(busi_like, **options)


def test_long_class_names_are_refused():
    with pytest.raises(UserError, match="A class name must have at most 200 characters"):
        sort_classes(["a", "x" * 5000])
    assert sort_classes(["b" * 200, "a"]) == ("a", "b" * 200)
