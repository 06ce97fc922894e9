"""What can be wrong with a file, whatever its format."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path


def _content(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(change(path.read_bytes() if path.is_file() else b""))

    return damage


def remove(path: Path) -> None:
    """Remove a file or a folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _instead(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        remove(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        make(path)

    return damage


KINDS: dict[str, Callable[[Path], None]] = {  # what stands there instead of a file
    "missing": _instead(lambda path: None),
    "a folder": _instead(lambda path: path.mkdir()),
    "a link to itself": _instead(lambda path: path.symlink_to(path.name)),
    "a dangling link": _instead(lambda path: path.symlink_to("nowhere")),
    "a named pipe": _instead(lambda path: os.mkfifo(path)),
    "a device without end": _instead(lambda path: path.symlink_to("/dev/zero")),
    "a socket": _instead(lambda path: _socket(path)),
}
CONTENTS: dict[str, Callable[[Path], None]] = {  # for text
    "empty": _content(lambda old: b""),
    "truncated": _content(lambda old: old[: len(old) // 2]),
    "binary": _content(lambda old: bytes(range(256)) * 8),
    "NUL bytes": _content(lambda old: bytes(4096)),
    "UTF-16": _content(lambda old: old.decode().encode("utf-16")),
}
JSON: dict[str, Callable[[Path], None]] = {
    "a list": _content(lambda old: b"[1, 2]"),
    "a number": _content(lambda old: b"3"),
    "text": _content(lambda old: b'"x"'),
    "null": _content(lambda old: b"null"),
    "brackets": _content(lambda old: b"[" * 100_000),
    "a very long integer": _content(lambda old: b'{"state": ' + b"9" * 5000 + b"}"),
}
MODEL: dict[str, Callable[[Path], None]] = {
    "empty": CONTENTS["empty"],
    "truncated": CONTENTS["truncated"],
    "binary": CONTENTS["binary"],
    "a byte flipped": _content(
        lambda old: old[: len(old) // 3] + bytes([old[len(old) // 3] ^ 255]) + old[len(old) // 3 + 1 :]
    ),
    "a ZIP file of something else": _content(lambda old: b"PK\5\6" + bytes(18)),
}


def _socket(path: Path) -> None:
    import socket

    old = os.getcwd()
    os.chdir(path.parent)  # the whole path may be too long
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)
    os.chdir(old)
