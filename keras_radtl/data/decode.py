"""Decode an image file to uint8 pixels, or raise an error with the reason why it cannot be used.

| file | result |
|---|---|
| PNG, JPEG, BMP, TIFF | decoded; an error if the content does not match the suffix |
| any other content | error |
| empty, truncated or damaged (for PNG, every chunk's checksum is verified) | error |
| more than `max_megapixels`, or no pixels | error, raised from the header before decoding |
| several pages or frames (TIFF, APNG) | error; of an MPO the first frame is used |
| palette missing or too short, TIFF directory damaged or linked in a circle | error |
| folder, pipe, socket or device | error; it is not opened |
| 1 bit | 0 and 255 |
| 8-bit grey or RGB | unchanged; RGB with three equal channels becomes grey |
| palette, CMYK, YCbCr | converted to RGB |
| alpha channel, transparent palette colour | composited on black |
| 16-bit grey or RGB | converted to 8 bits by `window`: `image` maps the minimum and maximum of the image to 0 and \
255, `full` maps 0-65535, LOW:HIGH maps LOW-HIGH and clips. Alpha is composited first, white-is-zero TIFF is inverted |
| signed, 32-bit and floating-point pixels | error: the range of values is not defined |
| EXIF orientation | applied |

Pillow decodes all files but 16-bit images with several channels, which it would truncate to 8 bits. OpenCV decodes
those.
"""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

import numpy as np

from keras_radtl.config import UserError
from keras_radtl.data.image_files import ImageError, check_png, check_suffix, check_tiff, detect_format

__all__ = ["ImageError", "apply_window", "collapse_grey", "decode", "orient", "read_image"]

ORIENTATION, BITS, PHOTOMETRIC, SAMPLE_FORMAT = 274, 258, 262, 339  # EXIF and TIFF tags


def read_image(path: str | Path, window: str = "image", max_megapixels: float = 64.0) -> np.ndarray:
    """Read an image file.

    Args:
        path: PNG, JPEG, BMP or TIFF file.
        window: How 16-bit pixels are converted to 8 bits: "image", "full" or "LOW:HIGH".
        max_megapixels: Larger images are an error, raised before decoding.

    Returns:
        uint8 array of shape (height, width) for grey images, else (height, width, 3) in RGB order.

    Raises:
        UserError: If the file cannot be used; the message has the file name and the reason.
    """
    try:
        return decode(path, window, max_megapixels)
    except ImageError as error:
        raise UserError(f"Cannot use image {path}: {error}") from None


def decode(path: str | Path, window: str, max_megapixels: float) -> np.ndarray:
    """Read an image file like `read_image`, but raise an `ImageError` without the file name."""
    data = _read_bytes(path, max_megapixels)
    kind = detect_format(data)
    check_suffix(path, kind)
    colors = check_png(data) if kind == "PNG" else 0
    if kind == "TIFF":
        check_tiff(data)
    try:
        return collapse_grey(_decode(data, kind, window, max_megapixels, colors))
    except ImageError:
        raise
    except Exception as error:
        raise ImageError(f"it cannot be decoded ({' '.join(str(error).split()) or type(error).__name__})") from None


def collapse_grey(image: np.ndarray) -> np.ndarray:
    """Return an image with three equal channels as an array of shape (height, width), any other unchanged."""
    if image.ndim == 3 and (image[..., 0] == image[..., 1]).all() and (image[..., 0] == image[..., 2]).all():
        return np.ascontiguousarray(image[..., 0])
    return image


def _read_bytes(path: str | Path, max_megapixels: float) -> bytes:
    try:
        status = os.stat(path)
        size = status.st_size
        if not stat.S_ISREG(status.st_mode):
            raise ImageError("it is not a regular file")
        if size == 0:
            raise ImageError("the file is empty")
        if size > max_megapixels * 8e6 + 16e6:
            raise ImageError(f"the file has {size / 1e6:.0f} MB, more than an image of {max_megapixels:g} megapixels")
        with open(path, "rb") as file:
            return file.read()
    except (OSError, ValueError) as error:  # a path with a NUL byte is a ValueError
        if isinstance(error, ImageError):
            raise
        raise ImageError(getattr(error, "strerror", None) or str(error)) from None


def _decode(data: bytes, kind: str, window: str, max_megapixels: float, colors: int) -> np.ndarray:
    from PIL import Image

    try:
        image = Image.open(io.BytesIO(data), formats=(kind,))
    except Image.DecompressionBombError:
        raise ImageError(f"it has more than {2 * Image.MAX_IMAGE_PIXELS / 1e6:.0f} megapixels") from None
    width, height = image.size
    if width < 1 or height < 1:
        raise ImageError(f"it has no pixels ({width}x{height})")
    if width * height > max_megapixels * 1e6:
        raise ImageError(f"it has {width}x{height} pixels, more than {max_megapixels:g} megapixels")
    if getattr(image, "is_animated", False) and image.format != "MPO":
        raise ImageError("it has several pages or frames; save one of them as a file")
    if kind == "TIFF" and set(image.tag_v2.get(SAMPLE_FORMAT, (1,))) - {1, 4}:
        raise ImageError("its pixels are signed or floating-point numbers; save it with 8 or 16 bits")
    is_16_bit = data[24] == 16 if kind == "PNG" else kind == "TIFF" and max(image.tag_v2.get(BITS, (1,))) == 16
    if is_16_bit and not image.mode.startswith("I;16"):
        return _decode_16_bit_colour(data, image, window)
    image.load()
    if colors and np.asarray(image).max() >= colors:
        raise ImageError(f"its pixels have colours beyond its palette of {colors}")
    orientation = image.getexif().get(ORIENTATION, 1)  # Pillow applies and removes that of a TIFF
    if image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.uint16)
        if kind == "TIFF" and image.tag_v2.get(PHOTOMETRIC) == 0:
            values = 65535 - values
        return orient(apply_window(values, window), orientation)
    return orient(_to_uint8(image), orientation)


def _to_uint8(image) -> np.ndarray:
    """Return the pixels of a Pillow image with at most 8 bits per channel."""
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("LA") if image.mode == "La" else image
        pixels = np.asarray(image.convert("RGBA")).astype(np.uint16)
        return ((pixels[..., :3] * pixels[..., 3:] + 127) // 255).astype(np.uint8)
    if image.mode in ("1", "L"):
        return np.array(image.convert("L"))
    if image.mode in ("P", "RGB", "CMYK", "YCbCr"):
        return np.array(image.convert("RGB"))
    raise ImageError(f"its Pillow mode is {image.mode}; save it as grey or RGB with 8 or 16 bits")


def _decode_16_bit_colour(data: bytes, header, window: str) -> np.ndarray:
    """Decode an image with several channels of 16 bits each."""
    import cv2

    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 3:
        raise ImageError("its 16-bit channels cannot be decoded")
    colour = pixels[..., 2::-1]  # from BGR to RGB
    if pixels.shape[2] == 4:
        colour = colour.astype(np.float32) * (pixels[..., 3:] / np.float32(65535))
    exif = 1 if header.format == "TIFF" else header.getexif().get(ORIENTATION, 1)  # OpenCV applies that of a TIFF
    return orient(apply_window(colour, window), exif)


def apply_window(values: np.ndarray, window: str) -> np.ndarray:
    """Map 16-bit pixel values to uint8.

    Args:
        values: Array of any shape with values from 0 to 65535.
        window: "image", "full" or "LOW:HIGH".

    Returns:
        uint8 array of the same shape.
    """
    if window == "image":
        low, high = float(values.min()), float(values.max())
    else:
        low, high = (0.0, 65535.0) if window == "full" else map(float, window.split(":"))
    scaled = (values.astype(np.float32) - low) * (255 / max(high - low, 1e-9))
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)


def orient(image: np.ndarray, orientation: int) -> np.ndarray:
    """Rotate or mirror stored pixels according to EXIF orientation 1-8 (EXIF 2.32, table 6, Orientation)."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)
