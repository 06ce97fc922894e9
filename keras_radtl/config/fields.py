"""Types and bounds of configuration fields, which are declared with the field and checked on construction.

Each number needs bounds: `epochs: int = number(10, "[1, 100000]")`. A test checks that none is missing.
"""

from __future__ import annotations

import math
import re
import types
import typing
from dataclasses import field, fields, is_dataclass
from typing import Any, NamedTuple

from keras_radtl.config.errors import UserError, require

TEXT = 4096  # characters
SEED = "[0, 2147483647]"
_HINTS: dict[type, dict[str, Any]] = {}  # by dataclass
_BOUNDS = re.compile(r"([\[(])(\S+), (\S+)([\])])(?: .+)?")


class Bounds(NamedTuple):
    """The range of a number.

    Attributes:
        rule: as messages write it, such as "[32, 1024] pixels"; a round bracket excludes the bound.
        low: smallest value.
        high: largest value.
    """

    rule: str
    low: float
    high: float

    def __contains__(self, value) -> bool:
        above = value > self.low if self.rule[0] == "(" else value >= self.low
        below = value < self.high if ")" in self.rule else value <= self.high
        return above and below  # false for NaN


def number(default, rule: str) -> Any:
    """Return a dataclass field with bounds.

    Args:
        default: value of the field.
        rule: such as "[0, 1)" or "[8, 4096] pixels"; for a list, the bounds of its items.
    """
    match = _BOUNDS.fullmatch(rule)
    assert match, rule
    return field(default=default, metadata={"bounds": Bounds(rule, float(match[2]), float(match[3]))})


def check_fields(owner) -> None:
    """Check types and bounds of all fields of a configuration dataclass; a list becomes a tuple, an int a float.

    Raises:
        UserError: naming the field, the rule and the value.
    """
    hints = type_hints(type(owner))
    for item in fields(owner):
        old = getattr(owner, item.name)
        value = cast(hints[item.name], old, item.name)
        if value is not old:
            object.__setattr__(owner, item.name, value)
        bounds = item.metadata.get("bounds")
        if bounds is None or value is None or isinstance(value, str):
            continue
        if isinstance(value, tuple):
            require(all(v in bounds for v in value), item.name, f"a list of numbers in {bounds.rule}", value)
        else:
            require(value in bounds, item.name, f"in {bounds.rule}", value)


def one_of(owner, name: str, choices: tuple[str, ...]) -> None:
    """Require that a field has one of some values."""
    value = getattr(owner, name)
    require(value in choices, name, f"one of {', '.join(choices)}", value)


def type_hints(kind: type) -> dict[str, Any]:
    """Return the types of the fields of a dataclass."""
    if kind not in _HINTS:
        _HINTS[kind] = typing.get_type_hints(kind)
    return _HINTS[kind]


def cast(hint, value, name: str):
    """Return a plain value as the type of a field: lists as tuples, integers and numbers in text as floats.

    Args:
        hint: type of the field.
        value: from JSON, YAML or Python.
        name: of the field, for messages.
    Raises:
        UserError: for a wrong type, for text of more than 4096 characters and for text that is not valid Unicode.
    """
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if value is None and type(None) in options:
        return None
    kinds = [option for option in options if option is not type(None)]
    if float in kinds:
        value = _float(value)
    kind = next((kind for kind in kinds if type(value) is kind), kinds[0])
    if typing.get_origin(kind) is tuple:
        require(isinstance(value, (list, tuple)), name, "a list", value)
        require(len(value) <= TEXT, name, f"a list of at most {TEXT} items", value)
        items = tuple(cast(typing.get_args(kind)[0], v, name) for v in value)
        return value if items == value else items
    valid = isinstance(value, kind) if isinstance(kind, type) and is_dataclass(kind) else type(value) is kind
    require(valid, name, f"of type {kind.__name__}", value)
    if kind is str:
        require(_is_text(value), name, f"Unicode text of at most {TEXT} characters without NUL", value)
    return value


def _float(value):
    """Return a number, also one in text (YAML reads 1e-4 as text), as a float; anything else unchanged."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return value
    try:
        return float(value)
    except ValueError:
        return value
    except OverflowError:
        return math.inf


def _is_text(value: str) -> bool:
    if len(value) > TEXT or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def count_in(text: str) -> int | None:
    """Return the number that a text of ASCII digits writes, or None if it is something else or above 999999999."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def require_pattern(groups: str) -> re.Pattern | None:
    """Return the compiled regular expression of the key `groups` if it is `re:EXPRESSION`, else None.

    Raises:
        UserError: If the expression is not valid.
    """
    if not groups.startswith("re:"):
        return None
    try:
        return re.compile(groups.removeprefix("re:"))
    except (re.error, OverflowError, RecursionError) as error:
        raise UserError(f"`groups` is not a valid regular expression: {error}. Received: {groups}") from None
