"""Decoded pixels of every kind of image file, and the reasons why files cannot be used."""

from __future__ import annotations

import io
import struct
import warnings
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFile

from keras_radtl.config import UserError
from keras_radtl.data.decode import apply_window, orient, read_image

RAMP = (np.arange(12 * 20).reshape(12, 20) % 256).astype(np.uint8)
COLOUR = np.random.default_rng(0).integers(0, 256, (12, 20, 3), np.uint8)
GREY_16_BIT = np.linspace(0, 65535, 12 * 20).round().astype(np.uint16).reshape(12, 20)
COLOUR_16_BIT = np.random.default_rng(1).integers(0, 65536, (12, 20, 3), np.uint16)


def save(path, pixels, **options):
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **options)
    return path


def tiff(path, pixels, photometric=1, sample_format=1, orientation=1):
    """Write an uncompressed TIFF file with any pixel type (TIFF 6.0, section 2)."""
    height, width = pixels.shape[:2]
    samples = pixels.shape[2] if pixels.ndim == 3 else 1
    bits, data = pixels.dtype.itemsize * 8, pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    count = 12
    extra = 8 + 2 + 12 * count + 4
    tags = [(256, 3, width), (257, 3, height), (258, 3, bits), (259, 3, 1), (262, 3, photometric), (273, 4, extra + 16)]
    tags += [(274, 3, orientation), (277, 3, samples), (278, 3, height), (279, 4, len(data)), (284, 3, 1)]
    tags += [(339, 3, sample_format)]
    entries = b""
    for tag, kind, value in tags:
        if samples > 1 and tag in (258, 339):
            entries += struct.pack("<HHII", tag, kind, samples, extra + (8 if tag == 339 else 0))
        else:
            entries += struct.pack("<HHIHH", tag, kind, 1, value & 0xFFFF, value >> 16)
    arrays = struct.pack("<8H", *([bits] * 4), *([sample_format] * 4))
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, count) + entries + b"\0\0\0\0" + arrays + data)
    return path


def error_of(path, **options):
    """Return the message of the error of `read_image`."""
    with pytest.raises(UserError) as caught:
        read_image(path, **options)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.TIFF", "A.PNG"])
def test_eight_bit_grey_and_colour(tmp_path, name):
    np.testing.assert_array_equal(read_image(save(tmp_path / name, RAMP)), RAMP)
    np.testing.assert_array_equal(read_image(save(tmp_path / name, COLOUR)), COLOUR)


@pytest.mark.parametrize("name", ["a.jpg", "a.jpeg", "a.JPG"])
def test_jpeg(tmp_path, name):
    smooth = np.repeat(np.arange(0, 240, 2, dtype=np.uint8)[None], 32, 0)
    read = read_image(save(tmp_path / name, smooth, quality=95))
    assert read.shape == smooth.shape and abs(read.astype(int) - smooth).max() <= 4
    assert read_image(save(tmp_path / name, COLOUR)).shape == COLOUR.shape


def test_rgb_with_equal_channels_becomes_grey(tmp_path):
    np.testing.assert_array_equal(read_image(save(tmp_path / "a.png", np.dstack([RAMP] * 3))), RAMP)


def test_one_bit_becomes_black_and_white(tmp_path):
    bits = RAMP > 100
    for name in ("a.png", "a.tif", "a.bmp"):
        np.testing.assert_array_equal(read_image(save(tmp_path / name, Image.fromarray(bits))), bits * np.uint8(255))


def test_palette_becomes_its_colours(tmp_path):
    image = Image.fromarray(RAMP % 4).convert("P")
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    read = read_image(save(tmp_path / "a.png", image))
    np.testing.assert_array_equal(read[0, :4], [[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]])


def test_alpha_is_composited_on_black(tmp_path):
    alpha = np.full(RAMP.shape, 51, np.uint8)  # 20 %
    for colour in (RAMP[..., None], COLOUR):
        image = Image.fromarray(np.dstack([colour, alpha]))
        read = read_image(save(tmp_path / "a.png", image))
        np.testing.assert_array_equal(read, np.round(colour.astype(float).squeeze() / 5))


def test_transparent_palette_colour_becomes_black(tmp_path):
    read = read_image(save(tmp_path / "a.png", RAMP, transparency=200))
    np.testing.assert_array_equal(read, np.where(RAMP == 200, 0, RAMP))


def test_cmyk_becomes_rgb(tmp_path):
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    read = read_image(save(tmp_path / "a.tif", red))
    np.testing.assert_array_equal(read[3, 3], [255, 0, 0])
    assert abs(read_image(save(tmp_path / "a.jpg", red))[3, 3].astype(int) - [255, 0, 0]).max() < 8


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_sixteen_bit_grey_by_window(tmp_path, name):
    path = save(tmp_path / name, GREY_16_BIT // 2 + 1000)
    own = read_image(path)
    np.testing.assert_allclose(own, GREY_16_BIT / 65535 * 255, atol=0.51)
    np.testing.assert_allclose(read_image(path, "full"), (GREY_16_BIT // 2 + 1000) / 257, atol=0.51)
    low = read_image(path, "1000:2000")
    assert low.max() == 255 and (low == 255).sum() > 200 and low[0, 0] == 0


def test_sixteen_bit_images_keep_the_low_byte(tmp_path):
    narrow = (30000 + np.arange(240)).astype(np.uint16).reshape(12, 20)
    assert len(np.unique(read_image(save(tmp_path / "a.png", narrow)))) == 240


def test_sixteen_bit_white_is_zero(tmp_path):
    black, white = (read_image(tiff(tmp_path / "a.tif", GREY_16_BIT, photometric)) for photometric in (1, 0))
    np.testing.assert_array_equal(black, 255 - white)


def test_sixteen_bit_colour(tmp_path):
    expected = np.rint(COLOUR_16_BIT / 257)
    cv2.imwrite(str(tmp_path / "a.png"), COLOUR_16_BIT[..., ::-1])
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", "full"), expected)
    np.testing.assert_array_equal(read_image(tiff(tmp_path / "a.tif", COLOUR_16_BIT, 2), "full"), expected)


def test_sixteen_bit_alpha_is_composited_on_black(tmp_path):
    alpha = np.full((12, 20, 1), 13107, np.uint16)  # 20 %
    cv2.imwrite(str(tmp_path / "a.png"), np.dstack([COLOUR_16_BIT[..., ::-1], alpha]))
    np.testing.assert_allclose(read_image(tmp_path / "a.png", "full"), COLOUR_16_BIT / 257 / 5, atol=0.51)


def test_constant_sixteen_bit_image_becomes_black(tmp_path):
    assert (read_image(save(tmp_path / "a.png", np.full((9, 9), 700, np.uint16))) == 0).all()


def test_window_example():
    np.testing.assert_array_equal(apply_window(np.array([0, 100, 150, 200, 65535]), "100:200"), [0, 0, 128, 255, 255])


def exif(orientation):
    tags = Image.Exif()
    tags[274] = orientation
    return tags


STORED = {  # the pixels of an upright "F" stored with each orientation (EXIF 2.32, table 6)
    1: ["XX", "X.", "X."], 2: ["XX", ".X", ".X"], 3: [".X", ".X", "XX"], 4: ["X.", "X.", "XX"],
    5: ["XXX", "X.."], 6: ["X..", "XXX"], 7: ["..X", "XXX"], 8: ["XXX", "..X"],
}  # fmt: skip


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_applied(tmp_path, orientation):
    upright = np.array([[255, 255], [255, 0], [255, 0]], np.uint8)
    stored = np.array([[255 * (c == "X") for c in row] for row in STORED[orientation]], np.uint8)
    np.testing.assert_array_equal(orient(stored, orientation), upright)
    for name in ("a.png", "a.tif"):
        path = save(tmp_path / name, stored, exif=exif(orientation))
        np.testing.assert_array_equal(read_image(path), upright)
    large = np.kron(stored, np.ones((16, 16), np.uint8))
    jpeg = read_image(save(tmp_path / "a.jpg", large, exif=exif(orientation), quality=95))
    np.testing.assert_array_equal(jpeg[8::16, 8::16] > 128, upright > 128)
    stored_16_bit = stored.astype(np.uint16) * 257
    np.testing.assert_array_equal(read_image(tiff(tmp_path / "b.tif", stored_16_bit, orientation=orientation)), upright)
    colour = np.dstack([stored_16_bit, stored_16_bit // 2, stored_16_bit])
    read = read_image(tiff(tmp_path / "c.tif", colour, 2, orientation=orientation), "full")
    np.testing.assert_array_equal(read[..., 0], upright)


def test_empty_files_and_other_formats(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"")
    assert "the file is empty" in error_of(path)
    path.write_bytes(b"not an image at all")
    assert "it is not a PNG, JPEG, BMP or TIFF image" in error_of(path)
    path.write_bytes(bytes(128) + b"DICM" + bytes(50))
    assert "its content is DICOM" in error_of(path)
    path.write_bytes(b"GIF89a" + bytes(50))
    assert "its content is GIF" in error_of(path)
    assert "No such file" in error_of(tmp_path / "missing.png")
    assert "not a regular file" in error_of(tmp_path)


def test_suffix_must_match_the_content(tmp_path):
    save(tmp_path / "a.jpg", RAMP)
    (tmp_path / "a.jpg").rename(tmp_path / "a.png")
    assert "its suffix is .png, but its content is JPEG" in error_of(tmp_path / "a.png")
    save(tmp_path / "b.png", RAMP).rename(tmp_path / "b")
    assert "its suffix is missing, but its content is PNG" in error_of(tmp_path / "b")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.tif"])
def test_truncated_files_are_errors(tmp_path, name):
    good = save(tmp_path / name, COLOUR).read_bytes()
    for length in range(1, len(good) - 2, max(1, len(good) // 40)):
        (tmp_path / name).write_bytes(good[:length])
        assert name in error_of(tmp_path / name)


def test_wrong_checksum_is_an_error(tmp_path):
    path = save(tmp_path / "a.png", COLOUR)
    bad = bytearray(path.read_bytes())
    bad[bad.index(b"IDAT") + 20] ^= 1
    path.write_bytes(bad)
    assert "it is damaged (checksum of chunk IDAT)" in error_of(path)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.tif"])
def test_flipped_bytes_give_pixels_or_a_one_line_error(tmp_path, name):
    path, random = save(tmp_path / name, COLOUR), np.random.default_rng(0)
    good = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(100):
            bad = bytearray(good)
            bad[random.integers(len(bad))] ^= int(random.integers(1, 256))
            path.write_bytes(bad)
            try:
                assert read_image(path).dtype == np.uint8
            except UserError as error:
                assert name in str(error) and "\n" not in str(error)


def png_header(width, height):
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = b"IDAT" + zlib.compress(bytes(1000))
    chunks = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (header, rows, b"IEND")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("side", [9_000, 12_000, 30_000, 2**31 - 1])
def test_too_many_pixels_are_an_error_before_decoding(tmp_path, monkeypatch, side):
    def decode(image):
        pytest.fail("the pixels were decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", decode)
    path = tmp_path / "a.png"
    path.write_bytes(png_header(side, side))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert "megapixels" in error_of(path)


def test_limit_of_megapixels(tmp_path):
    path = save(tmp_path / "a.png", RAMP)
    assert "20x12 pixels, more than 0.0001 megapixels" in error_of(path, max_megapixels=0.0001)


def test_image_without_pixels_is_an_error(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png_header(0, 5))
    assert "Cannot use image" in error_of(path)


def test_several_pages_or_frames_are_an_error(tmp_path):
    pages = [Image.fromarray(RAMP), Image.fromarray(255 - RAMP)]
    for name in ("a.tif", "a.png"):
        pages[0].save(tmp_path / name, save_all=True, append_images=pages[1:])
        assert "several pages or frames" in error_of(tmp_path / name)


def test_signed_and_floating_point_pixels_are_an_error(tmp_path):
    assert "signed or floating-point" in error_of(
        tiff(tmp_path / "a.tif", GREY_16_BIT.astype(np.float32), sample_format=3)
    )
    assert "signed or floating-point" in error_of(
        tiff(tmp_path / "a.tif", GREY_16_BIT.astype(np.int16), sample_format=2)
    )
    error_of(tiff(tmp_path / "a.tif", GREY_16_BIT.astype(np.uint32)))


def test_reason_of_a_damaged_tiff_is_one_line(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(RAMP).save(buffer, "TIFF", compression="tiff_lzw")
    data = bytearray(buffer.getvalue())
    data[8:40] = bytes(32)
    (tmp_path / "a.tif").write_bytes(data)
    error_of(tmp_path / "a.tif")
