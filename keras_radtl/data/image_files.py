"""Check the structure of image files: format, suffix, PNG chunks and TIFF directories. Decoders accept some damage."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

from keras_radtl.config.errors import one_line

SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".bmp": "BMP", ".tif": "TIFF", ".tiff": "TIFF"}
SIGNATURES = (  # first bytes of a file and its format; formats that cannot be read are there for the error message
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"GIF8", "GIF"),
    (b"RIFF", "WebP"),
    (b"%PDF", "PDF"),
    (b"PK\3\4", "ZIP"),
    (b"\x1f\x8b", "gzip"),
    (b"\x93NUMPY", "NumPy"),
    (b"\x89HDF", "HDF5"),
    (b"\0\5\x16\7", "metadata of macOS (AppleDouble)"),
)
TIFF_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}  # by type of the value
PALETTE = 3  # color type of a PNG


class ImageError(ValueError):
    """The reason why a file cannot be used, in one line. The message does not contain the file name."""

    def __init__(self, reason: str):
        super().__init__(one_line(reason))


def detect_format(data: bytes) -> str:
    """Return the name of the format of a file's content.

    Raises:
        ImageError: If the format is unknown.
    """
    kind = next((name for start, name in SIGNATURES if data.startswith(start)), None)
    if data[128:132] == b"DICM":
        kind = "DICOM"
    if kind is None:
        raise ImageError("it is not a PNG, JPEG, BMP or TIFF image")
    return kind


def check_suffix(path: str | Path, kind: str) -> None:
    """Check that a format can be read and that the file's suffix is one of the format.

    Raises:
        ImageError: If not.
    """
    suffix = os.path.splitext(path)[1]
    named = SUFFIXES.get(suffix.lower())
    if kind not in SUFFIXES.values():
        raise ImageError(f"its content is {kind}, not PNG, JPEG, BMP or TIFF")
    if named != kind:
        raise ImageError(f"its suffix is {suffix or 'missing'}, but its content is {kind}")


def check_png(data: bytes) -> int:
    """Check the length and the checksum of every chunk of a PNG, and its palette.

    Pillow does not check the checksum of the pixel data, and shows an image without its palette as black.

    Returns:
        The number of colours of the palette; 0 without palette.

    Raises:
        ImageError: If a chunk is damaged or the palette is missing.
    """
    offset, colors = 8, 0
    while offset + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, offset)
        end = offset + 8 + length
        if end + 4 > len(data):
            break
        if zlib.crc32(memoryview(data)[offset + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            raise ImageError(f"it is damaged (checksum of chunk {name.decode('ascii', 'replace')})")
        if name == b"PLTE":
            colors = length // 3
        if name == b"IDAT" and data[25] == PALETTE and not colors:
            raise ImageError("its palette is missing")
        if name == b"IEND":
            return colors if data[25] == PALETTE else 0
        offset = end + 4
    raise ImageError("it is truncated")


def check_tiff(data: bytes) -> None:
    """Check the directories of a TIFF: their places, their links, and the places of their values.

    Pillow ignores values beyond the end of the file, and directories that are linked in a circle.

    Raises:
        ImageError: If the file has more than one directory, or one is damaged.
    """
    order = "<" if data[:2] == b"II" else ">"
    seen: list[int] = []
    offset = _unpack(order + "I", data, 4)
    while offset:
        if offset in seen:
            raise ImageError("it is damaged (its directory is linked to itself)")
        seen.append(offset)
        count = _unpack(order + "H", data, offset)
        tags = [_check_entry(order, data, offset + 2 + 12 * i) for i in range(count)]
        if len(set(tags)) < len(tags) or not tags:
            raise ImageError("it is damaged (its directory is empty or has a tag twice)")
        offset = _unpack(order + "I", data, offset + 2 + 12 * count)
    if len(seen) > 1:
        raise ImageError("it has several pages or frames; save one of them as a file")


def _check_entry(order: str, data: bytes, place: int) -> int:
    tag, kind, count = struct.unpack_from(order + "HHI", data, place) if place + 12 <= len(data) else (0, 0, 0)
    size = count * TIFF_BYTES.get(kind, 0)
    start = _unpack(order + "I", data, place + 8) if size > 4 else 0
    if start + size > len(data):
        raise ImageError(f"it is damaged (the value of tag {tag} is beyond the end of the file)")
    return tag


def _unpack(form: str, data: bytes, place: int) -> int:
    try:
        return struct.unpack_from(form, data, place)[0]
    except struct.error:
        raise ImageError("it is damaged (its directory is beyond the end of the file)") from None
