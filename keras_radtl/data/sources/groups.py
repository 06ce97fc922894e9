"""Find the patient or exam of each case when no column defines it."""

from __future__ import annotations

from dataclasses import replace

from keras_radtl.config import UserError
from keras_radtl.config.fields import require_pattern
from keras_radtl.data.table import GROUPS_OFF, NO_GROUPS, CaseTable

UNKNOWN = "no patient groups known: every image is treated as a separate patient. Set `groups` to define patients"


def find_groups(table: CaseTable, groups: str) -> CaseTable:
    """Return the table with the groups that the option `groups` defines.

    Args:
        table: A table from a source without a column of groups.
        groups: "auto" (groups are unknown; adds a note), "none" (the user chose to split without groups) or "re:"
            followed by a regular expression that is searched in each path. The group is the first capturing group of
            the match, or the whole match if the expression has none.

    Returns:
        The table with new `groups` and `group_source`.

    Raises:
        UserError: If `groups` is the name of a column, if the expression is invalid, or if it does not match a path.
    """
    if groups == "auto":
        return replace(table, groups=table.cases, group_source=NO_GROUPS).with_notes(UNKNOWN)
    if groups == "none":
        return replace(table, groups=table.cases, group_source=GROUPS_OFF)
    if not groups.startswith("re:"):
        raise UserError(
            f"`groups` must be auto, none or re:<regular expression> for data without a column of that name. "
            f"Received: groups={groups!r}"
        )
    return replace(table, groups=_match(table.paths, groups[3:]), group_source=f"expression {groups[3:]}")


def _match(paths: tuple[str, ...], expression: str) -> tuple[str, ...]:
    pattern = require_pattern(f"re:{expression}")
    assert pattern is not None
    found = [pattern.search(path) for path in paths]
    unmatched = [path for path, match in zip(paths, found, strict=True) if match is None]
    if unmatched:
        raise UserError(
            f"`groups`: re:{expression} does not match {len(unmatched)} of {len(paths)} paths. First: {unmatched[0]}"
        )
    named = [match.group(1 if pattern.groups else 0) for match in found]
    empty = [path for path, name in zip(paths, named, strict=True) if not name]
    if empty:
        raise UserError(
            f"`groups`: re:{expression} matches an empty group in {len(empty)} of {len(paths)} paths. First: {empty[0]}"
        )
    return tuple(named)
