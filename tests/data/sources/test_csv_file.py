"""CSV files of paths and labels; error messages name the row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keras_radtl.config import DataConfig, UserError
from keras_radtl.data.sources import read_table
from keras_radtl.data.table import GROUPS_OFF, NO_GROUPS


@pytest.fixture
def read(tmp_path):
    """Return a function that writes a CSV file next to the images a.png ... h.png and reads it."""
    for name in "abcdefgh":
        (tmp_path / f"{name}.png").write_bytes(b"x")

    def call(text, **options):
        path = tmp_path / "cases.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_table(DataConfig(path=str(path), **options))

    return call


def test_columns_are_found_by_name(read):
    table = read("Image,Patient_ID,Diagnosis,age\na.png,p1,benign,40\nb.png,p1,malignant,50\nc.png,p2,benign,60\n")
    assert table.cases == ("a", "b", "c") and table.classes == ("benign", "malignant")
    assert table.targets.tolist() == [0, 1, 0] and table.groups == ("p1", "p1", "p2")
    assert table.group_source == "column Patient_ID" and table.predefined_splits == () and table.name == "cases"


@pytest.mark.parametrize("name", ["path", "image", "FILENAME", "file"])
@pytest.mark.parametrize("label", ["label", "class", "target", "diagnosis", "acl_label"])
def test_path_and_label_columns_have_several_names(read, name, label):
    assert read(f"{name},{label}\na.png,0\nb.png,1\n").targets.tolist() == [0, 1]


def test_label_column_can_be_selected(read):
    text = "path,label,grade\na.png,x,2\nb.png,y,10\n"
    assert read(text, label="grade").classes == ("2", "10")
    assert read(text, label="Grade").classes == ("2", "10")
    with pytest.raises(UserError, match="no column of that name. Received: label='side'. Columns: path, label, grade"):
        read(text, label="side")


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfpath,label\r\na.png,x\r\nb.png,y\r\n",
        b"path;label\na.png;x\nb.png;y\n",
        b"path\tlabel\na.png\tx\n\nb.png\ty",
        b'path,label\n"a.png",x\n ./b.png , y \n',
        b"path,label\na.png,x\nb.png,y\nb.png,y\n",
        "path,label,name\na.png,x,Jos\u00e9\u2028z\nb.png,y,\n".encode(),
    ],
)
def test_encodings_separators_and_quotes(read, text):
    table = read(text)
    assert table.paths == ("a.png", "b.png") and table.labels == ("x", "y")


def test_repeated_rows_are_excluded_and_reported(read):
    assert "repeated rows excluded: 1" in read("path,label\na.png,x\nb.png,y\nb.png,y\n").notes[0]


ERRORS = {
    "no path column": ("name,label\na.png,x\n", r"cases.csv: no path column .* Columns: name, label"),
    "no label column": ("path,age\na.png,1\n", "no label column"),
    "several label columns": ("path,a_label,b_label\na.png,1,2\n", r"several label columns \(a_label, b_label\)"),
    "missing file": ("path,label\na.png,x\nzz.png,y\n", "row 3: no such file: zz.png"),
    "file as folder": ("path,label\na.png,x\na.png/b.png,y\n", "row 3: no such file"),
    "parent": ("path,label\na.png,x\n../a.png,y\n", "row 3: path leaves the data root"),
    "parent within": ("path,label\nx/../../a.png,x\n", "row 2: path leaves the data root"),
    "backslash parent": ("path,label\n..\\a.png,x\n", "row 2: path leaves the data root"),
    "absolute": ("path,label\n/etc/passwd,x\n", "row 2: paths must be relative"),
    "drive": ("path,label\nC:\\a.png,x\n", "row 2: paths must be relative"),
    "folder": ("path,label\n.,x\nb.png,y\n", "row 2: . is not a regular file"),
    "empty path": ("path,label\n,x\nb.png,y\n", "row 2: . is not a regular file"),
    "no label": ("path,label\na.png,x\nb.png,\n", "row 3: the label is missing"),
    "NaN label": ("path,label\na.png,x\nb.png,NaN\n", "row 3: the label is missing. Received: 'NaN'"),
    "two labels": ("path,label\na.png,x\nb.png,y\na.png,y\n", "row 4: a.png has 'y' here and 'x' in row 2"),
    "two groups": ("path,label,patient\na.png,x,1\nb.png,y,2\na.png,x,3\n", "row 4: a.png has '3' here"),
    "two parts": ("path,label,split\na.png,x,train\na.png,x,test\n", "row 3: a.png has 'test' here"),
    "formula": ("path,label\na.png,x\nb.png,=1+1\n", "row 3: column label starts like a spreadsheet formula"),
    "formula path": ("path,label\n@SUM(A1).png,x\n", "row 2: column path starts like"),
    "one class": ("path,label\na.png,x\nb.png,x\n", "At least two classes are needed. Found: x"),
    "case of labels": (
        "path,label\na.png,Benign\nb.png,benign\n",
        "must differ in more than upper and lower case. Received: Benign, benign",
    ),
    "empty": ("", "is empty"),
    "blank": ("\n\n", "is empty"),
    "header only": ("path,label\n", "has a header but no rows"),
    "long row": ("path,label\na.png,x\nb.png,y,z\n", "row 3 has 3 cells, but the header has 2"),
    "short row": ("path,label\na.png,x\nb.png\n", "row 3 has 1 cell, but"),
    "repeated column": ("path,label,Label\na.png,x,y\n", "has several columns called label"),
    "Latin-1": ("path,label\na.png,x\nb.png,caf\xe9\n".encode("latin-1"), "row 3: byte 0xe9 is not UTF-8"),
    "UTF-16": ("path,label\na.png,x\n".encode("utf-16"), "row 1: byte 0xff is not UTF-8"),
    "NUL": (b"path,label\na.png,x\nb\0.png,y\n", "row 3: NUL byte"),
    "open quote": ('path,label\n"a.png,x\nb.png,y\n', "row 3: unexpected end of data"),
    "part": ("path,label,split\na.png,x,train\nb.png,y,dev2\n", "row 3: split must be one of train"),
    "no part": ("path,label,split\na.png,x,train\nb.png,y,\n", "row 3: split must be"),
    "fold": ("path,label,fold\na.png,x,1\nb.png,y,two\n", "row 3: fold must be an integer >= 0. Received: 'two'"),
    "one fold": ("path,label,fold\na.png,x,1\nb.png,y,1\n", "column fold must have at least two folds. Received: 1"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_invalid_table_is_a_one_line_error(read, name):
    text, message = ERRORS[name]
    with pytest.raises(UserError, match=message) as caught:
        read(text)
    assert "\n" not in str(caught.value)


def test_links_that_leave_the_root_are_errors(read, tmp_path, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "x.png").write_bytes(b"x")
    (tmp_path / "link.png").symlink_to(outside / "x.png")
    (tmp_path / "folder").symlink_to(outside)
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    for name, message in (
        ("link.png", "leaves the data root"), ("folder/x.png", "leaves the data root"), ("loop.png", "cannot read"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=f"row 2: .*{message}"):
            read(f"path,label\n{name},x\nb.png,y\n")


def test_groups(read):
    text = "path,label,patient,exam\na.png,x,p1,e1\nb.png,y,,e1\nc.png,y,nan,e2\n"
    table = read(text)
    assert table.groups[0] == "p1" and len(set(table.groups)) == 3
    assert "rows without patient: 2" in table.notes[-1]
    assert read(text, groups="exam").groups == ("e1", "e1", "e2")
    assert read(text, groups="none").group_source == GROUPS_OFF
    assert read("path,label\na.png,x\nb.png,y\n").group_source == NO_GROUPS
    with pytest.raises(UserError, match="no column of that name. Received: groups='ward'"):
        read(text, groups="ward")


def test_split_column(read):
    table = read("path,label,split\na.png,x,train\nb.png,y,Validation\nc.png,y,test\nd.png,x,valid\n")
    assert table.predefined_splits == (("train", "val", "test", "val"),)


def test_fold_column_tests_each_fold_once(read):
    table = read("path,label,fold\na.png,x,3\nb.png,y,1\nc.png,y,1.0\nd.png,x,2\n")
    assert table.predefined_splits == (
        ("train", "test", "test", "train"),
        ("train", "train", "train", "test"),
        ("test", "train", "train", "train"),
    )


def test_split_column_takes_precedence_over_fold(read):
    table = read("path,label,split,fold\na.png,x,train,0\nb.png,y,test,1\n")
    assert table.predefined_splits == (("train", "test"),) and "column fold is not used" in "".join(table.notes)


def test_several_label_columns(read):
    text = "path,edema,effusion\na.png,1,0\nb.png,0.0,\nc.png,-1,1.0\nd.png,NaN,0\n"
    table = read(text, labels=("edema", "effusion"))
    nan = np.nan
    np.testing.assert_array_equal(table.targets, np.array([[1, 0], [0, nan], [nan, 1], [nan, 0]], np.float32))
    assert table.multilabel and table.classes == ("edema", "effusion") and table.labels == ("edema", "", "effusion", "")
    with pytest.raises(UserError, match=r"row 2: the label must be 0, 1.*Received: '2'"):
        read("path,edema,effusion\na.png,2,0\n", labels=("edema", "effusion"))
    with pytest.raises(UserError, match="labels='pneumonia'"):
        read(text, labels=("edema", "pneumonia"))
    with pytest.raises(UserError, match="not both"):
        read(text, labels=("edema",), label="edema")


def test_labels_joined_by_semicolons(read):
    table = read("path,label\na.png,edema;effusion\nb.png,none\nc.png,effusion\n")
    assert table.multilabel and table.classes == ("edema", "effusion", "none")
    assert table.targets.tolist() == [[1, 1, 0], [0, 0, 1], [0, 1, 0]]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=80) | st.text('path,label\n;"ab.png01=-\r\t \0\\/', max_size=80).map(str.encode))
def test_any_bytes_give_a_table_or_a_one_line_error(read, tail):
    for text in (tail, b"path,label\na.png,x\n" + tail):
        try:
            table = read(text)
        except UserError as error:
            assert str(error) and "\n" not in str(error)
        else:
            assert set(table.paths) <= {f"{name}.png" for name in "abcdefgh"}


def test_unused_columns_are_named(tmp_path, write_image):
    for seed, name in enumerate(("a.png", "b.png")):
        write_image(name, seed)
    file = tmp_path / "t.csv"
    file.write_text("path,age,label,sex,patient\na.png,40,x,f,1\nb.png,50,y,m,2\n")
    assert "columns not used: age, sex" in read_table(DataConfig(path=str(file))).notes
    assert "columns not used: age, sex, patient" in read_table(DataConfig(path=str(file), groups="none")).notes
    file.write_text("path,label\na.png,x\nb.png,y\n")
    assert not [note for note in read_table(DataConfig(path=str(file))).notes if "not used" in note]


def test_many_columns_are_one_short_line(tmp_path):
    file = tmp_path / "t.csv"
    columns = ",".join(f"column_{i}" for i in range(200_000))
    file.write_text(f"{columns}\n{'1,' * 199_999}1\n")
    with pytest.raises(UserError, match=r"no path column .*column_0, column_1, .* and \d+ more$") as error:
        read_table(DataConfig(path=str(file)))
    assert len(str(error.value)) <= 300


def test_long_labels_are_refused(tmp_path, write_image):
    for seed, name in enumerate(("a.png", "b.png")):
        write_image(name, seed)
    file = tmp_path / "t.csv"
    file.write_text(f"path,label\na.png,x\nb.png,{'y' * 5000}\n")
    with pytest.raises(UserError, match="A class name must have at most 200 characters"):
        read_table(DataConfig(path=str(file)))
    file.write_text(f"path,x,{'y' * 300}\na.png,0,1\nb.png,1,0\n")
    with pytest.raises(UserError, match="A class name must have at most 200 characters"):
        read_table(DataConfig(path=str(file), labels=("x", "y" * 300)))
