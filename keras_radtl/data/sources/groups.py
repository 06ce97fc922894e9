"""Which cases belong to one patient or exam when no column says so."""

from __future__ import annotations

import re
from dataclasses import replace

from keras_radtl.config import UserError
from keras_radtl.data.table import GROUPS_OFF, NO_GROUPS, CaseTable

UNKNOWN = "no patient groups known: every image counts as a patient of its own; give --groups if some belong together"


def find_groups(table: CaseTable, groups: str) -> CaseTable:
    """Return the table with the groups that the option `groups` names.

    Args:
        table: a table from a source without columns, or whose columns do not name groups.
        groups: "auto" (none known), "none" (not wanted) or "re:" and a regular expression that is searched in each
            path; its first bracket, or the whole match, is the group.
    Raises:
        UserError: when the expression is not valid or some path does not match, or a column is asked for.
    """
    if groups == "auto":
        return replace(table, groups=table.cases, group_source=NO_GROUPS).with_notes(UNKNOWN)
    if groups == "none":
        return replace(table, groups=table.cases, group_source=GROUPS_OFF)
    if not groups.startswith("re:"):
        raise UserError(
            f"`groups` must be auto, none or re:<regular expression> for this data; only a CSV has columns. "
            f"Received: groups={groups!r}"
        )
    return replace(table, groups=_match(table.paths, groups[3:]), group_source=f"expression {groups[3:]}")


def _match(paths: tuple[str, ...], expression: str) -> tuple[str, ...]:
    try:
        pattern = re.compile(expression)
    except re.error as error:
        raise UserError(f"`groups` is not a valid regular expression: {error}. Received: re:{expression}") from None
    found = [pattern.search(path) for path in paths]
    missed = [path for path, match in zip(paths, found, strict=True) if match is None]
    if missed:
        raise UserError(
            f"`groups`: re:{expression} does not match {len(missed)} of {len(paths)} paths. First: {missed[0]}"
        )
    named = [match.group(1 if pattern.groups else 0) for match in found]
    empty = [path for path, name in zip(paths, named, strict=True) if not name]
    if empty:
        raise UserError(f"`groups`: re:{expression} finds an empty group in {len(empty)} paths. First: {empty[0]}")
    return tuple(named)
