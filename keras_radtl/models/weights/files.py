"""What every weight file is asked first: is it a regular local file, and which bytes is it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from keras_radtl.config import UserError

ALLOWANCE = 4 << 20  # bytes for names, structure and a small head


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


def require_size(path: Path, expected_bytes: int, size: int | None = None) -> None:
    """Refuse a file of more than twice the expected size (float64 doubles it) and 4 MiB for structure and a head.

    Args:
        path: regular file.
        expected_bytes: size of the tensors that belong in it, as float32.
        size: bytes of the part that counts; None: the whole file.
    Raises:
        UserError: with both sizes.
    """
    size = path.stat().st_size if size is None else size
    if size > 2 * expected_bytes + ALLOWANCE:
        raise UserError(
            f"{path}: refused, {size / 1e6:.0f} MB where {expected_bytes / 1e6:.0f} MB are expected; give a file "
            f"with the weights of the backbone alone"
        )
