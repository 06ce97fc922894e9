"""Read the layers of a Keras weight file (HDF5) without Keras: names and shapes, and values on request.

There are two layouts, which are distinguished by the content of the file, not by its suffix:

- legacy `.h5`: attributes `layer_names` and `weight_names`, at the root or under `model_weights`
- `.weights.h5`, also inside a `.keras` archive: groups `.../<class>_<number>/vars/<number>`, with the layer name as an
  attribute of `vars`

Only plain groups and datasets are read. Soft, external and virtual links are refused, and so are datasets that declare
much more data than the file stores. Values are read only after their shape has been compared with that of a variable.

Reference: Keras 3, `saving/saving_lib.py` and `legacy/saving/legacy_h5_format.py` (the layouts).
"""

from __future__ import annotations

import itertools
import math
import mmap
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_radtl.config import UserError
from keras_radtl.models.weights.files import require_size
from keras_radtl.models.weights.zip_members import Section, list_members, stored_region

MAXIMUM_OBJECTS = 20_000  # InceptionResNetV2 has about 2500
MAXIMUM_DEPTH = 16
MAXIMUM_EXPANSION = 1000  # declared / stored bytes; trained weights hardly compress, zeros about this much
_ARCHIVE_MEMBER = "model.weights.h5"
_DAMAGE = (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError)  # raised by h5py for damaged files


class StoredTensor(NamedTuple):
    """One array in a file, not yet read.

    Attributes:
        name: Last part of the variable name; empty if the file does not contain it.
        shape: Shape of the array.
        read: Function that returns the values as float32.
    """

    name: str
    shape: tuple[int, ...]
    read: Callable[[], np.ndarray]


class StoredLayer(NamedTuple):
    """One layer in a file.

    Attributes:
        name: Name of the layer; None if the file does not contain it.
        kind: Path of the container and class name in snake case; empty in legacy files.
        number: Number of the layer among those with the same `kind`.
        tensors: Arrays of the layer, in the order of the file.
    """

    name: str | None
    kind: str
    number: int
    tensors: tuple[StoredTensor, ...]


class StoredWeights(NamedTuple):
    """The content of a weight file.

    Attributes:
        layers: Layers with weights.
        legacy: Whether the layout is the legacy one, which keeps the layers in the order of the model.
    """

    layers: tuple[StoredLayer, ...]
    legacy: bool


@contextmanager
def open_weights(path: Path, expected_bytes: int) -> Iterator[StoredWeights]:
    """Open a weight file for the duration of a `with` block.

    The size of a weight file is limited by `expected_bytes`. A `.keras` archive contains a whole model, so its size is
    limited by the size of its own tensors, and the weights in it must not be compressed.

    Args:
        path: A regular `.h5`, `.weights.h5` or `.keras` file. Only the weights of a `.keras` file are read.
        expected_bytes: Size of the variables of the backbone as float32.

    Yields:
        The layers in the file.

    Raises:
        UserError: If it is not a weight file, too large, damaged or unsafe.
    """
    if zipfile.is_zipfile(path):
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            section, size = _archive_member(data, str(path))
            with _open_hdf5(section, path) as (file, groups, datasets):
                require_size(path, sum(dataset.nbytes for dataset in datasets.values()), size)
                yield _layers(groups, datasets, str(path))
    else:
        require_size(path, expected_bytes)
        with _open_hdf5(path, path) as (file, groups, datasets):
            yield _layers(groups, datasets, str(path))


def _archive_member(data: mmap.mmap, where: str) -> tuple[Section, int]:
    members = [m for m in list_members(data, where) if m.filename.startswith("model.weights")]
    names = [member.filename for member in members]
    if names != [_ARCHIVE_MEMBER]:
        raise UserError(f"{where}: the archive has no {_ARCHIVE_MEMBER}" + (f", only {names[0]}" if names else ""))
    start, size = stored_region(data, members[0], where)
    return Section(data, start, size), size


@contextmanager
def _open_hdf5(source, path: Path):
    import h5py

    try:
        file = h5py.File(source, "r")
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not an HDF5 weight file, or truncated ({_short(error)})") from None
    with file:
        try:
            groups, datasets = _walk(file, str(path))
        except UserError:
            raise
        except _DAMAGE as error:
            raise UserError(f"{path}: damaged HDF5 file ({_short(error)})") from None
        yield file, groups, datasets


def _layers(groups, datasets, where: str) -> StoredWeights:
    try:
        root = "/model_weights" if "/model_weights" in groups else ""
        attributes = groups[root].attrs
        if "layer_names" in attributes or "layer_names0" in attributes:
            return StoredWeights(tuple(_legacy_layers(groups, datasets, root, where)), legacy=True)
        layers = tuple(_current_layers(groups, datasets, where))
    except UserError:
        raise
    except _DAMAGE as error:
        raise UserError(f"{where}: damaged HDF5 file ({_short(error)})") from None
    if not layers:
        raise UserError(f"{where}: an HDF5 file without weights of a Keras model")
    return StoredWeights(layers, legacy=False)


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120]


def _walk(file, where: str):
    """Return all groups and all datasets of a file by path, after checking each."""
    import h5py

    groups, datasets, waiting = {"": file}, {}, [("", file)]
    while waiting:
        path, group = waiting.pop()
        for key in group:
            name = f"{path}/{key}"
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise UserError(f"{where}: refused, {name} is a link")
            item = group[key]
            if isinstance(item, h5py.Group):
                groups[name] = item
                waiting.append((name, item))
            elif isinstance(item, h5py.Dataset):
                datasets[name] = _checked(item, f"{where}: {name}")
            else:
                raise UserError(f"{where}: refused, {name} is neither a group nor a dataset")
            if len(groups) + len(datasets) > MAXIMUM_OBJECTS or name.count("/") > MAXIMUM_DEPTH:
                raise UserError(f"{where}: refused, too many or too deeply nested groups")
    return groups, datasets


def _checked(dataset, where: str):
    if dataset.is_virtual or dataset.external:
        raise UserError(f"{where}: refused, its values are in another file")
    if dataset.shape is None:
        raise UserError(f"{where}: the dataset is empty")
    stored = dataset.id.get_storage_size()
    expansion = 1 if dataset.chunks is None else MAXIMUM_EXPANSION
    if dataset.nbytes > stored * expansion:
        raise UserError(f"{where}: refused, {dataset.nbytes} bytes are declared but only {stored} are stored")
    return dataset


def _legacy_layers(groups, datasets, root: str, where: str):
    for name in _names(groups[root].attrs, "layer_names"):
        path = f"{root}/{name}"
        if path not in groups:
            raise UserError(f"{where}: layer {name!r} is listed but not stored")
        tensors = []
        for weight in _names(groups[path].attrs, "weight_names"):
            if f"{path}/{weight}" not in datasets:
                raise UserError(f"{where}: tensor {weight!r} of layer {name!r} is listed but not stored")
            last = re.sub(r":\d+$", "", weight).split("/")[-1]
            tensors.append(_tensor(datasets[f"{path}/{weight}"], last, f"{where}: {weight}"))
        if tensors:
            yield StoredLayer(name, "", 0, tuple(tensors))


def _names(attributes, key: str) -> list[str]:
    """Read a list of names, which Keras stores as `key0`, `key1`, ... if it is long."""
    numbered = itertools.takewhile(attributes.__contains__, (f"{key}{part}" for part in itertools.count()))
    values = []
    for part in [key] if key in attributes else numbered:
        if math.prod(attributes.get_id(part).shape) > MAXIMUM_OBJECTS:
            raise ValueError(f"{part} is too long")
        values += list(attributes[part])
    return [value.decode("utf-8") if isinstance(value, bytes) else str(value) for value in values]


def _current_layers(groups, datasets, where: str):
    found = []
    for path, group in groups.items():
        if not path.endswith("/vars") or path.startswith("/optimizer/"):
            continue
        names = sorted((key for key in group if f"{path}/{key}" in datasets), key=int)
        container, _, kind = path.removesuffix("/vars").rpartition("/")
        base, number = re.fullmatch(r"(.*?)(?:_(\d+))?", kind).groups()
        tensors = tuple(_tensor(datasets[f"{path}/{name}"], "", f"{where}: {path}/{name}") for name in names)
        if tensors:
            name = group.attrs.get("name")
            found.append(StoredLayer(str(name) if name else None, f"{container}/{base}", int(number or 0), tensors))
    return sorted(found, key=lambda layer: (layer.kind, layer.number))


def _tensor(dataset, name: str, where: str) -> StoredTensor:
    bfloat16 = dataset.dtype.kind == "V" and dataset.dtype.itemsize == 2 and dataset.attrs.get("dtype") == "bfloat16"

    def read() -> np.ndarray:
        if dataset.dtype.kind != "f" and not bfloat16:
            raise UserError(f"{where}: values must be floating-point numbers. Received: type {dataset.dtype}")
        try:
            values = np.asarray(dataset[()])
        except (OSError, RuntimeError) as error:
            raise UserError(f"{where}: damaged ({_short(error)})") from None
        if bfloat16:
            return (values.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        return values.astype(np.float32)

    return StoredTensor(name, tuple(dataset.shape), read)
