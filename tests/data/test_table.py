"""The case table: ids, classes, the positive class and selected rows."""

from __future__ import annotations

import numpy as np
import pytest

from keras_radtl.config import UserError
from keras_radtl.data.table import CaseTable, case_names, encode_labels, sort_classes, with_positive


def make_table(labels=("benign", "malignant", "normal", "malignant"), **more):
    cases = tuple("abcdefgh"[: len(labels)])
    classes = sort_classes(labels)
    values = {"targets": encode_labels(labels, classes), "labels": labels, **more}
    return CaseTable("made", None, cases, cases, cases, classes, **values)


def test_case_ids_have_no_suffix_where_that_is_unique():
    assert case_names(["x/a (1).png", "x/b.png", "x/b.jpg"]) == ("x/a (1)", "x/b.png", "x/b.jpg")
    assert case_names(["a.png", "a.jpg", "a.png.png"]) == ("a.png", "a.jpg", "a.png.png")


def test_classes_are_sorted_with_numbers_by_value():
    assert sort_classes(["yes", "no", "yes"]) == ("no", "yes")
    assert sort_classes(["10", "9", "0"]) == ("0", "9", "10")


def test_one_class_or_names_that_differ_only_in_case_are_errors():
    with pytest.raises(UserError, match="At least two classes are needed. Found: benign"):
        sort_classes(["benign", "benign"])
    with pytest.raises(UserError, match="upper and lower case. Received: Benign, benign"):
        sort_classes(["benign", "Benign"])


def test_positive_merges_the_other_classes():
    table = with_positive(make_table(), "malignant")
    assert table.classes == ("other", "malignant") and table.positive == "malignant"
    assert table.targets.tolist() == [0, 1, 0, 1] and table.labels[2] == "normal"


def test_positive_of_two_classes_keeps_the_name_of_the_negative_class():
    table = make_table(("b", "a", "a"))
    assert table.positive == "b"
    assert with_positive(table, "a").classes == ("b", "a")
    assert with_positive(table, "a").targets.tolist() == [0, 1, 1]


def test_unknown_positive_lists_the_classes():
    with pytest.raises(UserError, match="one of benign, malignant, normal. Received: positive='cyst'"):
        with_positive(make_table(), "cyst")
    many = make_table(targets=np.zeros((4, 3), np.float32), multilabel=True)
    with pytest.raises(UserError, match="`positive` must be None for a multi-label task"):
        with_positive(many, "benign")


def test_take_selects_rows_of_every_field():
    pixels = np.arange(4 * 6, dtype=np.uint8).reshape(4, 2, 3)
    table = make_table(predefined_splits=(("train", "val", "test", ""),), pixels=pixels, masks=list(pixels))
    part = table.take([2, 0])
    assert part.cases == ("c", "a") and part.labels == ("normal", "benign")
    assert part.predefined_splits == (("test", "train"),)
    assert part.targets.tolist() == [2, 0] and part.classes == table.classes
    np.testing.assert_array_equal(part.pixels, pixels[[2, 0]])
    np.testing.assert_array_equal(part.masks[0], pixels[2])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"targets": np.zeros(3, np.int32)}, "`targets` must have one entry per case"),
        ({"targets": np.zeros(4)}, "`targets` must be int32"),
        ({"targets": np.full(4, 3, np.int32)}, r"in \[-1, 3\)"),
        ({"targets": np.full((4, 3), 2, np.float32), "multilabel": True}, "of 0, 1 and NaN"),
        ({"predefined_splits": (("train", "val", "test", "dev"),)}, r"`predefined_splits\[0\]` must be 4 values of"),
    ],
)
def test_invalid_fields_are_errors(fields, message):
    with pytest.raises(ValueError, match=message):
        make_table(**fields)


def test_case_ids_must_be_unique():
    with pytest.raises(ValueError, match="`cases` must be unique. Received twice: 'a'"):
        make_table().take([0, 0])
