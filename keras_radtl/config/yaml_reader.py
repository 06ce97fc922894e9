"""Read JSON and YAML of users: plain values only, limited depth, no repeated keys.

JSON is read as JSON. YAML has no anchors, aliases and tags here, so that a small file cannot expand to a large one;
dates and numbers to the base 60 are text, and `1e-4` is a number.
"""

from __future__ import annotations

import json
import re

import yaml

from keras_radtl.config.errors import shown

MAX_DEPTH = 32
MAX_DIGITS = 100


class _Loader(yaml.SafeLoader):
    """The safe loader without aliases, tags, dates and repeated keys."""

    yaml_implicit_resolvers: dict = {}

    def __init__(self, text: str):
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent, index):
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _error("anchors and aliases are not allowed", event)
        if event.tag is not None:
            raise _error("tags are not allowed", event)
        if self._depth > MAX_DEPTH:
            raise _error(f"more than {MAX_DEPTH} tables or lists inside each other", event)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for position, key in enumerate(keys):
            if not isinstance(key, str):
                raise _error(f"the key {shown(key)} is not text", node.value[position][0])
        _refuse_repeated(keys)
        return super().construct_mapping(node, deep)


def _error(problem: str, where) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=where.start_mark)


_RESOLVERS = (  # of YAML 1.2, and the words for booleans of YAML 1.1
    ("bool", r"yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF", "yYnNtTfFoO"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+."),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
)  # fmt: skip
for _name, _pattern, _first in _RESOLVERS:
    _starts = ["" if c == "\0" else c for c in _first]
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(f"(?:{_pattern})\\Z"), _starts)


def _construct_integer(loader, node):
    return _integer(loader.construct_scalar(node))


_Loader.add_constructor("tag:yaml.org,2002:int", _construct_integer)


def read_yaml(text: str):
    """Return the plain value that a JSON or YAML text describes.

    Raises:
        ValueError: with the reason in one line.
    """
    try:
        value = _read_json(text) if text.lstrip()[:1] in ("{", "[") else _NOT_JSON
        value = yaml.load(text, _Loader) if value is _NOT_JSON else value  # a safe loader
        _check_depth(value)
        return value
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ValueError(f"{error.problem or error.context}{place}") from None
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    except RecursionError:
        raise ValueError(f"more than {MAX_DEPTH} tables or lists inside each other") from None


_NOT_JSON = object()


def _read_json(text: str):
    try:
        return json.loads(text, object_pairs_hook=_table, parse_int=_integer)
    except json.JSONDecodeError:
        return _NOT_JSON


def _table(pairs: list[tuple[str, object]]) -> dict:
    _refuse_repeated([key for key, _ in pairs])
    return dict(pairs)


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"an integer of {len(text)} digits")
    return int(text)


def _refuse_repeated(keys: list) -> None:
    seen = set()
    for key in keys:
        if key in seen:
            raise ValueError(f"the key {shown(key)} appears twice")
        seen.add(key)


def _check_depth(value) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        tables = [table for table in level if isinstance(table, (dict, list))]
        level = [item for table in tables for item in (table.values() if isinstance(table, dict) else table)]
    if any(isinstance(item, (dict, list)) for item in level):
        raise ValueError(f"more than {MAX_DEPTH} tables or lists inside each other")
