"""The corpus of bad inputs: command lines, what is damaged, and what the error line must name."""

from __future__ import annotations

from corpus import config_files, data, images, keys, options, outputs, runs, spaces, studies, tables, weights
from corpus.case import Case, Place, tree

__all__ = ["CASES", "Case", "Place", "tree"]

_TABLES = (options, keys, config_files, data, images, runs, outputs, weights, tables, studies, spaces)
CASES: dict[str, Case] = {}
for _table in _TABLES:
    for _case in _table.cases():
        _name = f"{_table.__name__.partition('.')[2]}: {_case.name}"
        assert _name not in CASES, _name
        CASES[_name] = _case
