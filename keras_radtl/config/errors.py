"""Errors that a user can correct, and how values and names are written in them: one line of at most 300 characters."""

from __future__ import annotations

from collections.abc import Iterable

LINE = 300  # characters of a message
_VALUE = 80  # characters of a value in a message
_NAMES = 160  # characters of a list of names in a message


class UserError(ValueError):
    """An error that the user can correct.

    The message is one line of at most 300 characters. A longer one keeps its start and its end, where the advice is.
    Commands print it without a traceback and exit with code 2.
    """

    def __init__(self, message: object):
        super().__init__(one_line(str(message)))


def require(condition: bool, name: str, rule: str, value) -> None:
    """Raise a `UserError` that names the argument, the rule and the value, unless `condition` holds."""
    if not condition:
        raise UserError(f"`{name}` must be {rule}. Received: {name}={shown(value)}")


def one_line(text: str, limit: int = LINE) -> str:
    """Return a text as one printable line of at most `limit` characters; what is cut is in the middle."""
    line = _cut(" ".join(text.split()), limit)
    if line.isprintable():
        return line
    return _cut("".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line), limit)


def shown(value) -> str:
    """Return a value as Python writes it, in at most 80 characters."""
    if isinstance(value, int) and abs(value) >= 10**_VALUE:
        return "an integer of more than 80 digits"  # Python refuses to write very long ones
    try:
        return _cut(repr(value), _VALUE)
    except (ValueError, RecursionError):  # a long integer, or a table of tables of tables
        return f"a {type(value).__name__}"


def listed(names: Iterable[object]) -> str:
    """Return names joined by commas, the first ones and the number of the others when there are many."""
    texts = [_cut(str(name), _VALUE) for name in names]
    count = len(texts)
    while count > 1 and sum(map(len, texts[:count])) + 2 * (count - 1) > _NAMES:
        count = min(count - 1, _NAMES)  # a name and its comma need at least two characters
    rest = f", ... and {len(texts) - count} more" if count < len(texts) else ""
    return ", ".join(texts[:count]) + rest


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    start = (limit - 5) * 2 // 3
    return f"{text[:start]} ... {text[start + 5 - limit :]}"
