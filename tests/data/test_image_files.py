"""Structure of image files: formats, PNG chunks and palettes, TIFF directories."""

from __future__ import annotations

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from keras_radtl.data.decode import ImageError, decode
from keras_radtl.data.image_files import check_png, check_tiff, detect_format

PIXELS = np.arange(48, dtype=np.uint8).reshape(6, 8) % 7


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(*chunks: bytes, bits: int = 8, color: int = 3) -> bytes:
    header = struct.pack(">IIBBBBB", 8, 6, bits, color, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IEND", b"")


LINES = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in PIXELS)))
COLORS = bytes(range(0, 210, 10))  # seven


def error_of(tmp_path, name: str, content: bytes) -> str:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ImageError) as error:
        decode(tmp_path / name, "image", 64)
    return str(error.value)


def test_palettes(tmp_path):
    whole = png(chunk(b"PLTE", COLORS), LINES)
    (tmp_path / "a.png").write_bytes(whole)
    image = decode(tmp_path / "a.png", "image", 64)
    np.testing.assert_array_equal(image, np.frombuffer(COLORS, np.uint8).reshape(7, 3)[PIXELS])
    assert check_png(whole) == 7 and check_png(png(LINES, color=0)) == 0
    assert error_of(tmp_path, "b.png", png(LINES)) == "its palette is missing"
    assert error_of(tmp_path, "c.png", png(LINES, chunk(b"PLTE", COLORS))) == "its palette is missing"  # too late
    assert error_of(tmp_path, "d.png", png(chunk(b"PLTE", COLORS[:-3]), LINES)).endswith("beyond its palette of 6")


def tiff() -> tuple[bytearray, int, int]:
    """Return a TIFF, the place of its directory, and the number of its entries."""
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, "TIFF")
    data = bytearray(stream.getvalue())
    (start,) = struct.unpack_from("<I", data, 4)
    return data, start, struct.unpack_from("<H", data, start)[0]


def test_intact_tiff():
    check_tiff(bytes(tiff()[0]))


def test_directory_that_is_linked_to_itself(tmp_path):
    data, start, count = tiff()
    struct.pack_into("<I", data, start + 2 + 12 * count, start)
    assert error_of(tmp_path, "a.tif", bytes(data)) == "it is damaged (its directory is linked to itself)"


def test_second_directory(tmp_path):
    data, start, count = tiff()
    struct.pack_into("<I", data, start + 2 + 12 * count, len(data))
    data += data[start : start + 2 + 12 * count] + b"\0\0\0\0"
    assert error_of(tmp_path, "a.tif", bytes(data)) == "it has several pages or frames; save one of them as a file"


@pytest.mark.parametrize("start", [1, 2**32 - 1, 10**6])
def test_directory_outside_the_file(tmp_path, start):
    data, _, _ = tiff()
    struct.pack_into("<I", data, 4, start)
    assert error_of(tmp_path, "a.tif", bytes(data)).startswith("it is damaged (")


def test_directory_with_too_many_entries(tmp_path):
    data, start, _ = tiff()
    struct.pack_into("<H", data, start, 65535)
    assert error_of(tmp_path, "a.tif", bytes(data)).startswith("it is damaged (")


def test_empty_directory_and_repeated_tags(tmp_path):
    data, start, count = tiff()
    data[start + 14 : start + 16] = data[start + 2 : start + 4]
    assert "has a tag twice" in error_of(tmp_path, "a.tif", bytes(data))
    assert "is empty" in error_of(tmp_path, "b.tif", b"II*\0\x08\0\0\0\0\0\0\0\0\0")


def test_values_outside_the_file(tmp_path):
    data, start, _ = tiff()
    struct.pack_into("<HII", data, start + 4, 4, 2**31, 8)
    assert (
        error_of(tmp_path, "a.tif", bytes(data)) == "it is damaged (the value of tag 256 is beyond the end of the file)"
    )


def test_metadata_of_macos_is_named(tmp_path):
    assert detect_format(b"\0\5\x16\7\0\2\0\0").startswith("metadata of macOS")
    assert error_of(tmp_path, "._a.png", b"\0\5\x16\7\0\2\0\0").startswith("its content is metadata of macOS")


def test_what_is_no_regular_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    for path in (tmp_path / "a.png", tmp_path):
        with pytest.raises(ImageError, match="^it is not a regular file$"):
            decode(path, "image", 64)


def test_reasons_are_one_line():
    assert str(ImageError("a\nb\0" + "x" * 900)).isprintable() and len(str(ImageError("x" * 900))) == 300
