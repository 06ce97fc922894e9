"""Read the tensors of a PyTorch checkpoint without PyTorch and without executing its pickle.

Both formats of `torch.save` are supported: the zip archive of PyTorch 1.6 and later (`data.pkl`, `byteorder`,
`data/<key>`) and the older stream (magic number, protocol, system, object, storage keys, raw storages). Every size is
checked against the file size before memory is allocated, and nothing is extracted to disk.

Reference: PyTorch, `torch/serialization.py` and `torch/_utils.py` (both formats).
"""

from __future__ import annotations

import io
import math
import mmap
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_radtl.config import UserError
from keras_radtl.models.weights.files import require_regular_file
from keras_radtl.models.weights.pickle_reader import Name, read_pickle
from keras_radtl.models.weights.zip_members import list_members, stored_region

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
WRAPPERS = ("state_dict", "model_state_dict", "model")
MAXIMUM_PICKLE = 64 << 20  # bytes; it contains only names and shapes, 0.05 MB for ResNet50

_STORAGES = {  # storage class -> NumPy type without byte order; bfloat16 is read as uint16
    "DoubleStorage": "f8", "FloatStorage": "f4", "HalfStorage": "f2", "BFloat16Storage": "u2",
    "LongStorage": "i8", "IntStorage": "i4", "ShortStorage": "i2", "CharStorage": "i1", "ByteStorage": "u1",
    "BoolStorage": "?",
}  # fmt: skip


@dataclass(frozen=True)
class _Storage:
    """One flat array in the file, not yet read."""

    kind: str  # a key of _STORAGES
    key: str
    count: int  # elements


@dataclass(frozen=True)
class _Tensor:
    """A view into a storage: offset, shape and strides in elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_torch_checkpoint(path: str | Path) -> dict[str, np.ndarray]:
    """Return the tensors of a PyTorch checkpoint by name.

    If the checkpoint is a dict with the key "state_dict", "model_state_dict" or "model", its value is used and other
    entries, such as optimizer state, are ignored. The prefix `module.`, which data-parallel training adds to all names,
    is removed.

    Args:
        path: A `.pt` or `.pth` file.

    Returns:
        Arrays by name in the order of the checkpoint. bfloat16 is converted to float32; other types are unchanged.

    Raises:
        UserError: If the file is not a checkpoint, is damaged, declares more data than it contains, or if its pickle
            uses anything besides tensors and plain containers.
    """
    path = require_regular_file(path)
    if path.stat().st_size == 0:
        raise UserError(f"{path}: the file is empty")
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:4] == b"PK\x03\x04":
            content, storages, order = _read_zip(data, str(path))
        else:
            content, storages, order = _read_stream(data, str(path))
        tensors = _state_dict(content, str(path))
        _check_total(tensors, len(data), str(path))
        return {name: _to_array(tensor, data, storages, order, f"{path}: {name}") for name, tensor in tensors.items()}


def _unpickle(stream, where: str, allow_tensors: bool = True):
    calls: dict[Name, object] = {}
    if allow_tensors:
        calls = {Name("torch", kind): None for kind in _STORAGES}
        calls[Name("collections", "OrderedDict")] = OrderedDict
        calls[Name("torch._utils", "_rebuild_tensor_v2")] = lambda storage, offset, shape, strides, *_: _Tensor(
            storage, offset, tuple(shape), tuple(strides)
        )
        calls[Name("torch._utils", "_rebuild_parameter")] = lambda tensor, *_: tensor
    return read_pickle(stream, calls, _persistent_storage, where)


def _persistent_storage(identifier) -> _Storage:
    tag, kind, key, _location, count, *view = identifier
    if tag != "storage" or not isinstance(kind, Name) or any(part is not None for part in view):
        raise ValueError(f"unknown persistent id {identifier!r}")
    if type(count) is not int or count < 0:
        raise ValueError(f"a storage of {count!r} elements")
    return _Storage(kind.name, str(key), count)


def _read_zip(data: mmap.mmap, where: str):
    """Return the object, the regions (start, bytes) of the storages and the byte order of a zip archive."""
    members = list_members(data, where)
    regions = {member.filename.partition("/")[2]: stored_region(data, member, where) for member in members}
    ends = sorted(regions.values())
    if any(start + size > following for (start, size), (following, _) in zip(ends, ends[1:], strict=False)):
        raise UserError(f"{where}: refused, archive members overlap")
    if "data.pkl" not in regions:
        raise UserError(f"{where}: not a PyTorch checkpoint (no data.pkl in the archive)")
    start, size = regions["data.pkl"]
    if size > MAXIMUM_PICKLE:
        raise UserError(f"{where}: refused, its pickle has {size} bytes, more than {MAXIMUM_PICKLE}")
    byte_start, byte_size = regions.get("byteorder", (0, 0))
    order = {b"": "<", b"little": "<", b"big": ">"}.get(data[byte_start : byte_start + min(byte_size, 16)])
    if order is None:
        raise UserError(f"{where}: unknown byte order in the archive")
    content = _unpickle(io.BytesIO(data[start : start + size]), where)
    return content, {name[5:]: region for name, region in regions.items() if name.startswith("data/")}, order


def _read_stream(data: mmap.mmap, where: str):
    """Return the object, the regions (start, bytes) of the storages and the byte order of an old-format stream."""
    if data[:1] != b"\x80" or _unpickle(data, where, allow_tensors=False) != MAGIC:
        raise UserError(f"{where}: not a PyTorch checkpoint (neither a zip archive nor an old-format stream)")
    protocol = _unpickle(data, where, allow_tensors=False)
    system = _unpickle(data, where, allow_tensors=False)
    if protocol != PROTOCOL or not isinstance(system, dict):
        raise UserError(f"{where}: PyTorch checkpoint with unknown protocol {protocol!r}")
    order = "<" if system.get("little_endian", True) else ">"
    start, kinds = data.tell(), {}
    content = _unpickle(data, where)
    for storage in _storages_of(content):
        kinds[storage.key] = np.dtype(_STORAGES[storage.kind]).itemsize
    keys = _unpickle(data, where, allow_tensors=False)
    if data.tell() - start > MAXIMUM_PICKLE or not isinstance(keys, list):
        raise UserError(f"{where}: damaged list of storages")
    regions, position = {}, data.tell()
    for key in keys:
        count = int.from_bytes(data[position : position + 8], "little" if order == "<" else "big", signed=True)
        size = count * kinds.get(key, 1)
        if position + 8 > len(data) or count < 0 or position + 8 + size > len(data):
            raise UserError(f"{where}: storage {key!r} exceeds the file (truncated?)")
        if key not in kinds:
            raise UserError(f"{where}: storage {key!r} belongs to no tensor")
        regions[key] = (position + 8, size)
        position += 8 + size
    return content, regions, order


def _storages_of(content) -> list[_Storage]:
    """Return every storage in `content`; each container is visited once."""
    found, waiting, seen = [], [content], set()
    while waiting:
        item = waiting.pop()
        if isinstance(item, _Tensor):
            found.append(item.storage)
        elif isinstance(item, (dict, list, tuple)) and id(item) not in seen:
            seen.add(id(item))
            waiting.extend(item.values() if isinstance(item, dict) else item)
    return found


def _state_dict(content, where: str) -> dict[str, _Tensor]:
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    if not isinstance(content, Mapping) or not content:
        raise UserError(f"{where}: the checkpoint has no state_dict (it contains a {type(content).__name__})")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, _Tensor):
            raise UserError(f"{where}: {name!r} is not a tensor; save `model.state_dict()` instead")
    if all(name.startswith("module.") for name in content):
        return {name.removeprefix("module."): value for name, value in content.items()}
    return dict(content)


def _check_total(tensors: Mapping[str, _Tensor], file_size: int, where: str) -> None:
    total = 0
    for name, tensor in tensors.items():
        numbers = (tensor.offset, *tensor.shape, *tensor.strides)
        plain = all(type(n) is int and n >= 0 for n in numbers) and isinstance(tensor.storage, _Storage)
        if not plain or len(tensor.shape) != len(tensor.strides) or len(tensor.shape) > 32:
            raise UserError(f"{where}: {name}: damaged tensor (offset {tensor.offset}, shape {tensor.shape})")
        total += math.prod(tensor.shape) * np.dtype(_STORAGES[tensor.storage.kind]).itemsize
    if total > 2 * file_size:  # tensors can share a storage, within limits
        raise UserError(f"{where}: refused, the tensors need {total} bytes, but the file has only {file_size}")


def _to_array(tensor: _Tensor, data: mmap.mmap, storages, order: str, where: str) -> np.ndarray:
    kind = np.dtype(_STORAGES[tensor.storage.kind]).newbyteorder(order)
    start, size = storages.get(tensor.storage.key, (0, -1))
    if size != tensor.storage.count * kind.itemsize:
        raise UserError(f"{where}: the storage has {size} bytes instead of {tensor.storage.count * kind.itemsize}")
    last = tensor.offset + sum((n - 1) * step for n, step in zip(tensor.shape, tensor.strides, strict=True))
    if math.prod(tensor.shape) and last >= tensor.storage.count:
        raise UserError(f"{where}: shape {tensor.shape} exceeds the storage of {tensor.storage.count} elements")
    flat = np.frombuffer(data[start : start + size], kind)
    steps = tuple(step * kind.itemsize for step in tensor.strides)
    if not math.prod(tensor.shape):
        return np.zeros(tensor.shape, kind.newbyteorder("="))
    view = np.lib.stride_tricks.as_strided(flat[tensor.offset :], tensor.shape, steps, writeable=False)
    if tensor.storage.kind == "BFloat16Storage":
        return (view.astype(np.uint32) << 16).view(np.float32)
    return view.astype(kind.newbyteorder("="), order="C")
