"""Paths that users give."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path

from keras_radtl.config.errors import UserError, shown


def user_path(path: str | PathLike[str]) -> Path:
    """Return a path with `~` and `~user` expanded.

    Raises:
        UserError: If there is no such user, or if the path contains a NUL byte.
    """
    text = fspath(path)
    if "\0" in text:
        raise UserError(f"No such file or folder: {shown(text)} (it contains a NUL byte)")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise UserError(f"No such file or folder: {shown(text)} (there is no user of that name)") from None
