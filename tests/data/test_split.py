"""Splits: disjoint and complete, no divided groups, every class in every part, independent of the row order."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_radtl.config import SplitConfig, UserError
from keras_radtl.data.split import make_splits, merge_groups, split_hash, split_rows
from keras_radtl.data.table import GROUPS_OFF, CaseTable


def make_table(targets, groups=None, classes=None, **more):
    targets = np.asarray(targets)
    cases = tuple(f"case {i}" for i in range(len(targets)))
    classes = classes or tuple("abcdefgh"[: int(np.nanmax(targets)) + 1])
    targets = targets.astype(np.float32 if targets.ndim == 2 else np.int32)
    return CaseTable("made", None, cases, cases, tuple(groups or cases), classes, targets, **more)


def one_split(table, seed=0, clusters=None, config=None, use_predefined=True):
    clusters = np.arange(len(table)) if clusters is None else clusters
    return make_splits(table, clusters, config or SplitConfig(), use_predefined, seed)


def parts_of(split, n):
    parts = np.full(n, -1)
    for number, rows in enumerate((split.train, split.val, split.test)):
        assert (np.diff(rows) > 0).all() and (parts[rows] == -1).all()
        parts[rows] = number
    return parts


def test_part_sizes_of_the_published_breast_study():
    table = make_table([0] * 570 + [1] * 210)
    (split,) = one_split(table)
    assert (split.fold, len(split.train), len(split.val), len(split.test)) == (0, 585, 117, 78)
    assert [int(table.targets[rows].sum()) for rows in (split.train, split.val, split.test)] in (
        [157, 32, 21],
        [158, 31, 21],
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 5), st.integers(0, 3), st.booleans())
def test_parts_are_disjoint_and_complete_and_do_not_divide_groups(seed, classes, spread, folded):
    random = np.random.default_rng(seed)
    targets = np.repeat(np.arange(classes), random.integers(30, 60, classes))
    groups = [f"patient {i}" for i in random.integers(0, 25 * (spread + 1), len(targets))]
    clusters = np.arange(len(targets))
    for a, b in random.integers(0, len(targets), (5, 2)):
        clusters[a] = clusters[b]
    table = make_table(targets, groups)
    config = SplitConfig(folds=4 if folded else None)
    try:
        splits = one_split(table, seed % 7, clusters, config)
    except UserError as error:
        assert "class `" in str(error).lower()
        return
    tested = np.zeros(len(table), int)
    for split in splits:
        parts = parts_of(split, len(table))
        assert (parts >= 0).all()
        for labels in (np.array(groups), clusters):
            for label in np.unique(labels):
                assert len(set(parts[labels == label])) == 1
        for part in range(3):
            assert set(targets[parts == part]) == set(range(classes))
        tested[split.test] += 1
    assert not folded or (tested == 1).all()


def test_parts_of_groups_are_near_the_ratios():
    random = np.random.default_rng(0)
    sizes = random.integers(1, 8, 300)
    targets = np.repeat(random.integers(0, 2, 300), sizes)
    table = make_table(targets, np.repeat(np.arange(300), sizes).astype(str).tolist())
    (split,) = one_split(table)
    for rows, share in ((split.train, 0.75), (split.val, 0.15), (split.test, 0.10)):
        for label in (0, 1):
            assert abs((targets[rows] == label).sum() - share * (targets == label).sum()) <= 1


@pytest.mark.parametrize("folds", [None, 5])
def test_row_order_does_not_matter(folds):
    random = np.random.default_rng(1)
    table = make_table(random.integers(0, 3, 200), [f"g{i // 3}" for i in range(200)])
    clusters = np.minimum(np.arange(200), 195)
    order = random.permutation(200)
    config = SplitConfig(folds=folds)
    shuffled = table.take(order)
    first, second = one_split(table, 3, clusters, config), one_split(shuffled, 3, clusters[order], config)
    assert split_rows(table, first) == split_rows(shuffled, second)
    assert split_hash(table, first) == split_hash(shuffled, second)
    assert split_hash(table, first) != split_hash(table, one_split(table, 4, clusters, config))


def test_merged_groups_are_connected_components():
    random = np.random.default_rng(2)
    for _ in range(20):
        groups, clusters = random.integers(0, 12, (2, 20))
        together = (groups[:, None] == groups) | (clusters[:, None] == clusters)
        for _ in range(5):  # transitive closure by squaring
            together = (together.astype(int) @ together.astype(int)) > 0
        units = merge_groups(tuple(groups.astype(str)), clusters)
        np.testing.assert_array_equal(units[:, None] == units, together)


def test_too_few_groups_of_a_class_are_an_error():
    table = make_table([0] * 20 + [1] * 20, ["p"] * 10 + ["q"] * 10 + [f"r{i}" for i in range(20)])
    with pytest.raises(UserError, match="Class `a` is in 2 groups, but each of 3 parts"):
        one_split(table)
    with pytest.raises(UserError, match="Use fewer folds"):
        one_split(make_table([0] * 20 + [1] * 4), config=SplitConfig(folds=5))


def test_three_large_groups_of_a_class_are_in_three_parts():
    table = make_table([0] * 30 + [1] * 30, [f"p{i // 10}" for i in range(30)] + [f"q{i}" for i in range(30)])
    (split,) = one_split(table)
    for rows in (split.train, split.val, split.test):
        assert len({table.groups[i] for i in rows} & {"p0", "p1", "p2"}) == 1


def test_multilabel_parts_are_near_the_ratios():
    random = np.random.default_rng(3)
    targets = (random.random((300, 4)) < [0.5, 0.2, 0.1, 0.05]).astype(float)
    targets[random.random(targets.shape) < 0.1] = np.nan
    table = make_table(targets, classes=tuple("abcd"), multilabel=True)
    (split,) = one_split(table)
    totals = np.nansum(targets, axis=0)
    for rows, share in ((split.train, 0.75), (split.val, 0.15), (split.test, 0.10)):
        assert abs(len(rows) - share * 300) <= 15
        assert (np.abs(np.nansum(targets[rows], axis=0) - share * totals) <= 4).all()


PARTS = ("train",) * 6 + ("val",) * 2 + ("test",) * 2


def test_predefined_split_is_used_unchanged():
    table = make_table([0, 1] * 5, predefined_splits=(PARTS,))
    (split,) = one_split(table)
    assert [PARTS[i] for i in itertools.chain(split.train, split.val, split.test)] == list(PARTS)
    assert len(one_split(make_table([0, 1] * 20, predefined_splits=(PARTS * 4,)), use_predefined=False)[0].test) == 4


def test_validation_cases_of_predefined_folds_are_drawn_from_train():
    folds = tuple(tuple("test" if i % 4 == f else "train" for i in range(80)) for f in range(4))
    table = make_table(np.arange(80) // 4 % 2, [f"g{i % 40}" for i in range(80)], predefined_splits=folds)
    splits = one_split(table)
    assert [s.fold for s in splits] == [1, 2, 3, 4]
    for f, split in enumerate(splits):
        assert split.test.tolist() == list(range(f, 80, 4)) and len(split.val) in (8, 10, 12)
        assert not {table.groups[i] for i in split.val} & {table.groups[i] for i in split.train}


def test_group_in_two_parts_of_a_predefined_split_is_an_error():
    groups = ["p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p1", "p10"]
    table = make_table([0, 1] * 5, groups, predefined_splits=(PARTS,), group_source="column patient")
    with pytest.raises(UserError, match=r"Group `p1` \(column patient\) is in both train and test of the predefined"):
        one_split(table)


def test_identical_images_of_a_predefined_split_are_kept_in_test_or_val(caplog):
    parts = ("train", "train", "train", "train", "val", "val", "test", "test", "train", "val")
    clusters = np.array([0, 1, 2, 3, 4, 5, 6, 7, 6, 0])  # case 8 is case 6, case 9 is case 0
    (split,) = one_split(make_table([0, 1] * 5, predefined_splits=(parts,)), clusters=clusters)
    assert split.train.tolist() == [1, 2, 3] and split.val.tolist() == [4, 5, 9] and split.test.tolist() == [6, 7]
    assert "excluded: 2 of train, identical to images in another part" in caplog.text


def test_predefined_split_without_groups_is_used_unchanged():
    clusters = np.array([0, 1, 2, 3, 4, 5, 6, 7, 2, 9])
    (split,) = one_split(make_table([0, 1] * 5, predefined_splits=(PARTS,), group_source=GROUPS_OFF), clusters=clusters)
    assert len(split.train) == 6 and len(split.val) == 2 and split.test.tolist() == [8, 9]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (("train",) * 10, "There is no test case"),
        (("test",) * 10, "There is no train case"),
        (("train",) * 7 + ("val",) * 2 + ("test",), r"test part \(1 case\) has no case of class `a`"),
    ],
)
def test_incomplete_predefined_split_is_an_error(parts, message):
    with pytest.raises(UserError, match=message):
        one_split(make_table([0, 1] * 5, predefined_splits=(parts,)))


def test_number_of_folds_must_be_that_of_the_predefined_split():
    with pytest.raises(UserError, match=r"`folds` must be None for data with one split. Received: folds=5"):
        one_split(make_table([0, 1] * 5, predefined_splits=(PARTS,)), config=SplitConfig(folds=5))


def test_split_rows_have_label_and_part():
    table = make_table([0, 1] * 5, predefined_splits=(PARTS,), labels=tuple("xy" * 5))
    rows = split_rows(table, one_split(table))
    assert rows[0] == ("case", "path", "group", "label", "split")
    assert rows[1] == ("case 0", "case 0", "case 0", "x", "train")
    assert rows[-1] == ("case 9", "case 9", "case 9", "y", "test")
