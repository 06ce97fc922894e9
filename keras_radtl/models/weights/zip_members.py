"""Locate the uncompressed members of a zip archive in the file, so that nothing has to be extracted.

Reference: PKWARE APPNOTE 6.3, sections 4.3.6 and 4.3.7 (local file header).
"""

from __future__ import annotations

import io
import mmap
import zipfile

from keras_radtl.config import UserError

_HEADER = 30  # bytes of a local file header, without the name


class Section(io.RawIOBase):
    """A read-only binary file backed by a section of a memory map."""

    def __init__(self, data: mmap.mmap, start: int, size: int):
        super().__init__()
        self._data, self._start, self._size, self._position = data, start, size, 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position in the section."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position relative to the start, the current position or the end."""
        self._position = max(0, offset + (0, self._position, self._size)[whence])
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Read into `buffer` and return the number of bytes, which is smaller at the end of the section."""
        count = max(0, min(len(buffer), self._size - self._position))
        first = self._start + self._position
        buffer[:count] = self._data[first : first + count]
        self._position += count
        return count


def list_members(data: mmap.mmap, where: str) -> list[zipfile.ZipInfo]:
    """Return the members of an archive.

    Raises:
        UserError: If the archive is damaged, or a member name is absolute, contains "..", or occurs twice.
    """
    try:
        with zipfile.ZipFile(data) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise UserError(f"{where}: damaged zip archive ({error})") from None
    names = [member.filename for member in members]
    for name in names:
        if ".." in name.split("/") or name.startswith("/") or names.count(name) > 1:
            raise UserError(f"{where}: refused, unsafe archive member {name!r}")
    return members


def stored_region(data: mmap.mmap, member: zipfile.ZipInfo, where: str) -> tuple[int, int]:
    """Return the position and size in bytes of an uncompressed member.

    Raises:
        UserError: If the member is compressed, encrypted, damaged or truncated.
    """
    header = data[member.header_offset : member.header_offset + _HEADER]
    if len(header) < _HEADER or header[:4] != b"PK\x03\x04":
        raise UserError(f"{where}: damaged archive member {member.filename!r}")
    if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size or member.flag_bits & 1:
        raise UserError(f"{where}: refused, archive member {member.filename!r} is compressed or encrypted")
    names = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    start = member.header_offset + _HEADER + names
    if start + member.file_size > len(data):
        raise UserError(f"{where}: truncated archive member {member.filename!r}")
    return start, member.file_size
