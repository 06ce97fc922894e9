"""Folders of RadImageNet tasks: tables of five folds, exams from file names."""

from __future__ import annotations

import numpy as np
import pytest

from keras_radtl.config import DataConfig, SplitConfig, UserError
from keras_radtl.data.sources import read_table
from keras_radtl.data.split import make_splits

IMAGES = [f"{exam}_sagittal_{slice_}.000000.png" for exam in range(1000, 1015) for slice_ in (1, 2)]


def write_task(folder, names=IMAGES, prefix="", column="acl_label", whole_exams=True, below="images/"):
    """Write five folds; images of an exam have one label, and with `whole_exams` they are in one part."""
    (folder / "images").mkdir()
    (folder / "dataframe").mkdir()
    for name in names:
        (folder / "images" / name).write_bytes(b"x")
    for fold in range(5):
        rows = {"train": [], "val": [], "test": []}
        for i, name in enumerate(names):
            position = ((i // 2 if whole_exams else i) + 3 * fold) % 15
            part = "test" if position < 3 else "val" if position < 6 else "train"
            rows[part].append(f"{below}{name},{'yes' if (i // 2) % 2 else 'no'}\n")
        for part, lines in rows.items():
            table = folder / "dataframe" / f"{prefix}{part}_fold{fold + 1}.csv"
            table.write_text(f"filename,{column}\n" + "".join(lines))
    return folder


def read(folder, **options):
    return read_table(DataConfig(path=str(folder), **options))


@pytest.mark.parametrize(
    ("prefix", "column", "below"),
    [("", "acl_label", "images/"), ("breast_", "label", "images/"), ("", "acl_label", "")],
)
def test_layouts(tmp_path, prefix, column, below):
    table = read(write_task(tmp_path, prefix=prefix, column=column, below=below))
    assert len(table) == 30 and len(table.predefined_splits) == 5
    assert table.classes == ("no", "yes") and table.positive == "yes"
    assert table.paths[0] == "images/1000_sagittal_1.000000.png" and table.groups[:3] == ("1000", "1000", "1001")
    assert table.group_source == "exam number in the file name"
    for parts in table.predefined_splits:
        assert [parts.count(part) for part in ("train", "val", "test")] == [18, 6, 6]


def test_every_case_is_tested_once(tmp_path):
    table = read(write_task(tmp_path))
    splits = make_splits(table, np.arange(30), SplitConfig(), True, 0)
    assert [split.fold for split in splits] == [1, 2, 3, 4, 5]
    assert sorted(np.concatenate([split.test for split in splits])) == list(range(30))


def test_divided_exams_are_an_error_unless_groups_are_off(tmp_path):
    folder = write_task(tmp_path, whole_exams=False)
    table = read(folder)
    with pytest.raises(UserError, match=r"Group `1\d+` \(exam number.*\) is in both .*fold 1.*`groups='none'` uses"):
        make_splits(table, np.arange(30), SplitConfig(), True, 0)
    assert len(make_splits(read(folder, groups="none"), np.arange(30), SplitConfig(), True, 0)) == 5
    whole = make_splits(table, np.arange(30), SplitConfig(folds=4), False, 0)
    for split in whole:
        assert not {table.groups[i] for i in split.test} & {table.groups[i] for i in split.train}


def test_file_names_without_exam_numbers(tmp_path):
    names = [f"malignant ({i}).png" for i in range(30)]
    table = read(write_task(tmp_path, names))
    assert table.group_source == "none" and "no patient groups known" in table.notes[-1]


def test_some_file_names_without_exam_numbers(tmp_path):
    table = read(write_task(tmp_path, [*IMAGES[:28], "x.png", "y.png"]))
    assert "file names without exam number: 2 of 30" in table.notes[-1] and len(set(table.groups)) == 16


def replace_in(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_errors_name_file_and_row(tmp_path):
    folder = write_task(tmp_path)
    table = folder / "dataframe" / "test_fold1.csv"
    good = table.read_text()
    name = good.splitlines()[1].split(",")[0]
    for old, new, message in (
        (name, "images/zz.png", r"test_fold1.csv, row 2: no such file: images/zz.png"),
        (name, "../zz.png", r"row 2: path leaves the data root"),
        ("no\n", "yes\n", "is 'no' here and 'yes' elsewhere|is 'yes' here and 'no' elsewhere"),
        ("filename", "name", "no filename column"),
        ("acl_label", "acl", "no label column"),
    ):
        replace_in(table, old, new)
        with pytest.raises(UserError, match=message):
            read(folder)
        table.write_text(good)
    with (folder / "dataframe" / "val_fold1.csv").open("a") as file:
        file.write(good.splitlines()[1] + "\n")
    with pytest.raises(UserError, match=r"test_fold1.csv, row 2: .* is in both val and test of fold 1"):
        read(folder)


def test_missing_table_or_two_tasks_are_errors(tmp_path):
    folder = write_task(tmp_path)
    (folder / "dataframe" / "val_fold3.csv").unlink()
    with pytest.raises(UserError, match="No such file: .*val_fold3.csv"):
        read(folder)
    (folder / "dataframe" / "breast_val_fold3.csv").write_text("filename,label\n")
    with pytest.raises(UserError, match="tables of 2 tasks: '', 'breast_'"):
        read(folder)


def test_images_in_no_part_of_a_fold_are_reported(tmp_path):
    folder = write_task(tmp_path)
    table = folder / "dataframe" / "train_fold2.csv"
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:-1]))
    read_back = read(folder)
    assert read_back.predefined_splits[1].count("") == 1 and "in no part of a fold: fold 2: 1" in read_back.notes[0]
