"""Image files that cannot be used: alone for `predict`, in a class folder for `fit` and `evaluate`."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable, Iterator

import numpy as np

from corpus.case import EVALUATE, FIT, Case, Place, replaced
from corpus.damage import KINDS

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    width: int, height: int, depth: int = 8, colour: int = 0, data: bytes | None = None, extra: bytes = b""
) -> bytes:
    """Return a PNG file with a header of one's choice."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 33 * 32 if data is None else data)
    return SIGNATURE + chunk(b"IHDR", header) + extra + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def saved(form: str, shape=(32, 32), dtype=np.uint8, **options) -> bytes:
    """Return an image that Pillow writes."""
    from PIL import Image

    file, pixels = io.BytesIO(), np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


def tiff(entries: list[tuple[int, int, int, int]], following: int = 0) -> bytes:
    """Return a TIFF file of one directory with (tag, type, count, value) and the offset of the next directory."""
    rows = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + rows + struct.pack("<I", following) + bytes(2048)


def frames() -> bytes:
    """Return a TIFF file of two pages."""
    from PIL import Image

    file, page = io.BytesIO(), Image.fromarray(np.zeros((32, 32), np.uint8))
    page.save(file, "TIFF", save_all=True, append_images=[page])
    return file.getvalue()


GREY = [
    (256, 3, 1, 32),
    (257, 3, 1, 32),
    (258, 3, 1, 8),
    (262, 3, 1, 1),
    (273, 4, 1, 200),
    (277, 3, 1, 1),
    (278, 3, 1, 32),
    (279, 4, 1, 1024),
]
FILES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "empty": (".png", lambda: b""),
    "text": (".png", lambda: b"no image"),
    "one byte": (".png", lambda: b"\x89"),
    "signature only": (".png", lambda: SIGNATURE),
    "header only": (".png", lambda: png(32, 32)[:33]),
    "truncated PNG": (".png", lambda: png(32, 32)[:-30]),
    "bad checksum": (".png", lambda: png(32, 32)[:-20] + b"xxxx" + png(32, 32)[-16:]),
    "zero width": (".png", lambda: png(0, 32)),
    "gigapixels": (".png", lambda: png(100_000, 100_000)),
    "2^31 pixels wide": (".png", lambda: png(2**31 - 1, 1)),
    "above the limit": (".png", lambda: png(9000, 9000)),
    "palette without palette": (".png", lambda: png(32, 32, colour=3)),
    "bad depth": (".png", lambda: png(32, 32, depth=7)),
    "bad colour type": (".png", lambda: png(32, 32, colour=5)),
    "too little data": (".png", lambda: png(32, 32, data=b"\0")),
    "no zlib": (".png", lambda: SIGNATURE + png(32, 32)[8:33] + chunk(b"IDAT", b"zzzz") + chunk(b"IEND", b"")),
    "a length of 4 GB": (".png", lambda: SIGNATURE + struct.pack(">I", 2**32 - 1) + b"IHDR"),
    "a text bomb": (".png", lambda: png(32, 32, extra=chunk(b"zTXt", b"a\0\0" + zlib.compress(b"x" * 80_000_000)))),
    "GIF": (".png", lambda: b"GIF89a" + bytes(50)),
    "WebP": (".png", lambda: b"RIFF\x10\0\0\0WEBPVP8 "),
    "PDF": (".png", lambda: b"%PDF-1.7"),
    "DICOM": (".png", lambda: bytes(128) + b"DICM" + bytes(100)),
    "NumPy": (".png", lambda: b"\x93NUMPY\1\0"),
    "ZIP": (".png", lambda: b"PK\3\4" + bytes(40)),
    "gzip": (".png", lambda: b"\x1f\x8b" + bytes(40)),
    "JPEG named PNG": (".png", lambda: saved("JPEG")),
    "PNG named JPEG": (".jpg", lambda: png(32, 32)),
    "BMP named PNG": (".png", lambda: saved("BMP")),
    "truncated JPEG": (".jpg", lambda: saved("JPEG")[:200]),
    "JPEG of noise": (".jpg", lambda: b"\xff\xd8\xff" + bytes(range(256))),
    "truncated BMP": (".bmp", lambda: saved("BMP")[:100]),
    "BMP of noise": (".bmp", lambda: b"BM" + bytes(100)),
    "BMP with a huge header": (
        ".bmp",
        lambda: b"BM" + struct.pack("<IHHIIiiHHIIiiII", 60, 0, 0, 54, 40, 2**30, 2**30, 1, 24, 0, 0, 0, 0, 0, 0),
    ),
    "float TIFF": (".tif", lambda: saved("TIFF", dtype=np.float32)),
    "32-bit TIFF": (".tif", lambda: saved("TIFF", dtype=np.int32)),
    "two pages": (".tif", frames),
    "truncated TIFF": (".tif", lambda: saved("TIFF")[:100]),
    "TIFF that links to itself": (".tif", lambda: tiff(GREY, 8)),
    "TIFF without tags": (".tif", lambda: tiff([])),
    "TIFF with absurd counts": (".tif", lambda: tiff([*GREY[:4], (273, 4, 2**31, 8), *GREY[5:]])),
    "TIFF with 0 rows": (".tif", lambda: tiff([(256, 3, 1, 32), (257, 3, 1, 0), *GREY[2:]])),
    "TIFF that ends in the directory": (".tif", lambda: b"II*\0\x08\0\0\0\xff\xff" + bytes(20)),
    "TIFF of unknown compression": (".tif", lambda: tiff([*GREY[:3], (259, 3, 1, 9999), *GREY[3:]])),
    "no suffix": ("", lambda: png(32, 32)),
    "unknown suffix": (".xyz", lambda: png(32, 32)),
}


def _in_folder(name: str, make: Callable[[], bytes] | None, damage=None) -> Callable[[Place], None]:
    def prepare(place: Place) -> None:
        folder = place.copy("pictures", "data") / "benign mass"
        if make:
            (folder / name).write_bytes(make())
        else:
            damage(folder / name)

    return prepare


def cases() -> Iterator[Case]:
    """Yield the cases."""
    fit, evaluate = replaced(FIT, "--data", "data"), replaced(EVALUATE, "--data", "data")
    for kind, (suffix, make) in FILES.items():
        name = f"bad{suffix}"
        yield Case(
            f"predict {kind}",
            "predict",
            ["<run>", "<image>", name, "--output", "new.csv"],
            name,
            lambda place, name=name, make=make: place.write(name, make()),
        )
        if suffix not in ("", ".xyz"):
            yield Case(f"fit {kind}", "fit", fit, name, _in_folder(name, make))
    for kind in ("text", "truncated JPEG", "two pages", "gigapixels"):
        suffix, make = FILES[kind]
        yield Case(f"evaluate {kind}", "evaluate", evaluate, f"bad{suffix}", _in_folder(f"bad{suffix}", make))
    for kind, damage in KINDS.items():
        yield Case(
            f"predict {kind}",
            "predict",
            ["<run>", "<image>", "bad.png", "--output", "new.csv"],
            "bad.png",
            lambda place, damage=damage: damage(place.here / "bad.png"),
        )
        if kind != "missing":
            yield Case(f"fit {kind}", "fit", fit, "bad.png", _in_folder("bad.png", None, damage))
            yield Case(
                f"predict folder with {kind}",
                "predict",
                ["<run>", "data", "--output", "new.csv"],
                "bad.png",
                _in_folder("bad.png", None, damage),
            )
    yield Case(
        "predict empty folder",
        "predict",
        ["<run>", "empty", "--output", "new.csv"],
        "empty",
        lambda place: (place.here / "empty").mkdir(),
    )
    yield Case(
        "predict folder of text",
        "predict",
        ["<run>", "texts", "--output", "new.csv"],
        "texts",
        lambda place: place.write("texts/a.txt", "x"),
    )
    yield Case(
        "predict every image bad, skipped",
        "predict",
        ["<run>", "bad.png", "--output", "new.csv", "--on-bad-image", "skip"],
        "bad.png",
        lambda place: place.write("bad.png", b"x"),
    )
    yield Case("predict the wrong policy", "predict", ["<run>", "<image>", "--on-bad-image", "nope"], "--on-bad-image")
    if os.geteuid():
        yield Case(
            "predict unreadable",
            "predict",
            ["<run>", "bad.png"],
            "bad.png",
            lambda place: place.write("bad.png", png(32, 32)).chmod(0),
        )
