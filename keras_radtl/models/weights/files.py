"""First checks of a weight file: whether it is a regular local file, its size and its hash."""

from __future__ import annotations

import hashlib
from pathlib import Path

from keras_radtl.config import UserError

ALLOWANCE = 4 << 20  # bytes for the file structure and a small head


def require_regular_file(path: str | Path) -> Path:
    """Require that a path is a regular local file and return it resolved.

    Raises:
        UserError: If it is missing, a folder, a pipe, a device, a broken or circular link, or a URL.
    """
    try:
        resolved = Path(path).expanduser().resolve(strict=True)
        regular = resolved.is_file()
    except (OSError, RuntimeError, ValueError):
        raise UserError(f"No such weight file: {path}") from None
    if not regular:
        raise UserError(f"A weight file must be a regular file. Received: {path}")
    return resolved


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_size(path: Path, expected_bytes: int, size: int | None = None) -> None:
    """Require a plausible file size: at most twice the expected size, as for float64, plus 4 MiB.

    Args:
        path: A regular file.
        expected_bytes: Size of its tensors as float32.
        size: Size to check in bytes. None means the size of the file.

    Raises:
        UserError: If it is larger, with both sizes.
    """
    size = path.stat().st_size if size is None else size
    if size > 2 * expected_bytes + ALLOWANCE:
        raise UserError(
            f"{path}: refused, the size is {size / 1e6:.0f} MB instead of about {expected_bytes / 1e6:.0f} MB; "
            f"use a file with only the weights of the backbone"
        )
