"""Write PyTorch checkpoints without PyTorch, including malformed ones."""

import io
import struct
import zipfile

import numpy as np

MAGIC = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
PROTOCOL = b"\x80\x02M\xe9\x03."
SYSTEM = b"\x80\x02}X\x0d\x00\x00\x00little_endian\x88s."


def text(value: str) -> bytes:
    """Return the opcode that pushes a string."""
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def number(value: int) -> bytes:
    """Return the opcode that pushes an integer."""
    return b"\x8a\x08" + struct.pack("<q", value)


def numbers(values) -> bytes:
    """Return the opcodes that push a tuple of integers."""
    return b"(" + b"".join(number(value) for value in values) + b"t"


def tensor(key: str, count: int, shape, strides=None, offset: int = 0, kind: str = "FloatStorage") -> bytes:
    """Return the opcodes that push a tensor of storage `key`."""
    if strides is None:
        strides = [int(np.prod(shape[i + 1 :])) for i in range(len(shape))]
    storage = b"(" + text("storage") + f"ctorch\n{kind}\n".encode() + text(key) + text("cpu") + number(count) + b"t"
    arguments = b"(" + storage + b"Q" + number(offset) + numbers(shape) + numbers(strides)
    return b"ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"\x89ccollections\nOrderedDict\n)RtR"


def dictionary(items) -> bytes:
    """Return the pickle of an OrderedDict from pairs of name and opcodes of the value."""
    return (
        b"\x80\x02ccollections\nOrderedDict\n)R("
        + b"".join(text(name) + value for name, value in items)
        + b"u."
    )  # fmt: skip


def write_archive(path, pickle: bytes, storages, compression=zipfile.ZIP_STORED, **more: bytes):
    """Write the zip format, with the bytes of each storage and additional members by name."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", pickle)
        for key, data in storages.items():
            archive.writestr(f"archive/data/{key}", data)
        for name, data in more.items():
            archive.writestr(name.replace("__", "/"), data)
    return path


def write_stream(path, pickle: bytes, storages):
    """Write the older format, with the element count and bytes of each storage."""
    keys = b"\x80\x02](" + b"".join(text(key) for key in storages) + b"e."
    content = io.BytesIO()
    for part in (MAGIC, PROTOCOL, SYSTEM, pickle, keys):
        content.write(part)
    for count, data in storages.values():
        content.write(struct.pack("<q", count) + data)
    path.write_bytes(content.getvalue())
    return path


def write_state_dict(path, arrays):
    """Write float32 arrays as a state_dict in the zip format."""
    arrays = {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}
    items = [(name, tensor(str(i), a.size, a.shape)) for i, (name, a) in enumerate(arrays.items())]
    return write_archive(path, dictionary(items), {str(i): a.tobytes() for i, a in enumerate(arrays.values())})
