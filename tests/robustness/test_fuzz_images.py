"""Random damage to image files of all formats: pixels or the reason why there are none."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from fuzzing import EDITS, damaged, fuzz
from hypothesis import strategies as st
from PIL import Image

from keras_radtl.data.decode import ImageError, decode

GREY = np.random.default_rng(0).integers(0, 256, (9, 7), np.uint8)
RGB = np.random.default_rng(1).integers(0, 256, (9, 7, 3), np.uint8)


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def files() -> list[tuple[str, bytes]]:
    """Return (suffix, content) of intact files."""
    grey, rgb = Image.fromarray(GREY), Image.fromarray(RGB)
    deep = Image.fromarray(GREY.astype(np.uint16) * 257)
    images = [grey, rgb, deep, rgb.quantize(7), grey.convert("1"), rgb.convert("RGBA"), grey.convert("LA")]
    found = [(".png", encoded(image, "PNG")) for image in images]
    found += [(".tif", encoded(image, "TIFF")) for image in images]
    found += [
        (".tif", encoded(image, "TIFF", compression=name)) for image in (grey, rgb) for name in ("tiff_lzw", "jpeg")
    ]
    found += [(".bmp", encoded(image, "BMP")) for image in (grey, rgb, rgb.quantize(7), grey.convert("1"))]
    exif = Image.Exif()
    exif[274] = 6
    found += [(".jpg", encoded(image, "JPEG", exif=exif)) for image in (grey, rgb, rgb.convert("CMYK"))]
    found += [(".jpg", encoded(rgb, "JPEG", progressive=True)), (".jpg", encoded(rgb, "MPO", save_all=True))]
    return found


FILES = files()


def with_checksums(data: bytes) -> bytes:
    """Correct the checksums of a PNG, so that deeper code is reached."""
    parts, offset = [data[:8]], 8
    while offset + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, offset)
        body = data[offset + 4 : offset + 8 + length]
        parts.append(struct.pack(">I", len(body) - 4 if len(body) >= 4 else 0) + body)
        parts.append(struct.pack(">I", zlib.crc32(body)))
        offset += 12 + length
    return b"".join(parts)


def check_decode(file, content: bytes, window: str) -> None:
    file.write_bytes(content)
    image = decode(file, window, 1.0)
    assert image.dtype == np.uint8 and image.ndim in (2, 3) and image.size > 0
    assert image.ndim == 2 or image.shape[2] == 3


@pytest.mark.parametrize(("suffix", "content"), FILES)
def test_intact_files_are_read(tmp_path, suffix, content):
    check_decode(tmp_path / f"x{suffix}", content, "image")


@pytest.mark.parametrize("examples", [100, pytest.param(1400, marks=pytest.mark.slow)])
def test_damaged_files(tmp_path, examples):
    def check(drawn):
        (suffix, content), edits, repair, window = drawn
        data = damaged(content, edits)
        data = with_checksums(data) if repair and data[:4] == b"\x89PNG" else data
        check_decode(tmp_path / f"x{suffix}", data, window)

    windows = st.sampled_from(["image", "full", "10:200"])
    fuzz(check, st.tuples(st.sampled_from(FILES), EDITS, st.booleans(), windows), examples, (ImageError,))


@pytest.mark.parametrize("examples", [30, pytest.param(200, marks=pytest.mark.slow)])
def test_other_content(tmp_path, examples):
    starts = st.sampled_from(
        [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*", b"II*\0\x08\0\0\0"]
    )

    def check(drawn):
        start, rest, suffix = drawn
        check_decode(tmp_path / f"x{suffix}", start + rest, "image")

    suffixes = st.sampled_from([".png", ".jpg", ".bmp", ".tif", ".TIFF", "", ".gif"])
    fuzz(check, st.tuples(starts, st.binary(max_size=60), suffixes), examples, (ImageError,))
