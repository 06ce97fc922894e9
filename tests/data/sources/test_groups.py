"""Groups without a column: unknown, switched off, or by regular expression."""

from __future__ import annotations

import numpy as np
import pytest

from keras_radtl.config import UserError
from keras_radtl.data.sources.groups import find_groups
from keras_radtl.data.table import GROUPS_OFF, NO_GROUPS, CaseTable

PATHS = ("x/p1_a.png", "x/p1_b.png", "y/p20_a.png")
TABLE = CaseTable("made", None, PATHS, PATHS, ("?",) * 3, ("a", "b"), np.array([0, 1, 0], np.int32))


def test_unknown_groups_add_a_note_and_no_groups_do_not():
    auto, off = find_groups(TABLE, "auto"), find_groups(TABLE, "none")
    assert auto.groups == off.groups == PATHS
    assert auto.group_source == NO_GROUPS and "Set `groups`" in auto.notes[0]
    assert off.group_source == GROUPS_OFF and off.notes == ()


def test_group_is_the_first_capturing_group_or_the_whole_match():
    assert find_groups(TABLE, r"re:p(\d+)_").groups == ("1", "1", "20")
    assert find_groups(TABLE, r"re:p\d+").groups == ("p1", "p1", "p20")
    assert find_groups(TABLE, r"re:^(\w)/").groups == ("x", "x", "y")


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (r"re:p1_(.)", r"re:p1_\(.\) does not match 1 of 3 paths. First: y/p20_a.png"),
        ("re:(", "`groups` is not a valid regular expression"),
        ("re:(z*)", "matches an empty group in 3 of 3 paths. First: x/p1_a.png"),
        ("re:(z)?p", "matches an empty group"),
        ("patient", "for data without a column of that name. Received: groups='patient'"),
    ],
)
def test_invalid_groups_are_errors(groups, message):
    with pytest.raises(UserError, match=message):
        find_groups(TABLE, groups)
