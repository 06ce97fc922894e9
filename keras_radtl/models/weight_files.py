"""What every weight file is asked first: is it a regular local file, and which bytes is it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from keras_radtl.config import UserError


def require_regular_file(path: str | Path) -> Path:
    """Return `path` resolved, or refuse it when it is no regular file on this machine.

    Raises:
        UserError: for a missing path, a folder, a pipe, a device, a link that leads nowhere or in a circle, a URL.
    """
    try:
        resolved = Path(path).expanduser().resolve(strict=True)
        regular = resolved.is_file()
    except (OSError, RuntimeError, ValueError):
        raise UserError(f"No such weight file: {path}") from None
    if not regular:
        raise UserError(f"Weights must be a regular file. Received: {path}")
    return resolved


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
