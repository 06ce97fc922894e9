"""What a user can put right: the one kind of error that is told in a line."""

from __future__ import annotations


class UserError(ValueError):
    """A mistake that the user can put right: told in one line, without a traceback, exit code 2."""


def require(condition: bool, name: str, rule: str, value) -> None:
    """Raise a `UserError` that names the option, the rule and the value, unless `condition` holds."""
    if not condition:
        raise UserError(f"`{name}` must be {rule}. Received: {name}={value!r}")
