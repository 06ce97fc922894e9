"""Read a MedMNIST .npz file with the arrays {train,val,test}_{images,labels}.

Images are uint8 of shape (n, height, width) or (n, height, width, 3). Labels are integers of shape (n, 1) or (n,), or
0/1 of shape (n, n_labels) for a multi-label task. The class names are "0", "1", ... The three parts are the predefined
split; patients are not known. Nothing is unpickled, and the declared size of an array is compared with its stored size
before memory is allocated.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path

import numpy as np
import psutil

from keras_radtl.config import DataConfig, UserError
from keras_radtl.data.sources.groups import find_groups
from keras_radtl.data.table import PARTS, CaseTable, sort_classes

KEYS = tuple(f"{part}_{kind}" for part in PARTS for kind in ("images", "labels"))


def read(path: Path, config: DataConfig) -> CaseTable:
    """Read the images and labels of a file.

    Args:
        path: The .npz file.
        config: How groups are found.

    Returns:
        The `CaseTable`.

    Raises:
        UserError: If it is not a MedMNIST file; the message names the array.
    """
    arrays = _load(path)
    images, labels, cases, split = [], [], [], []
    for part in PARTS:
        pixels, values = arrays[f"{part}_images"], arrays[f"{part}_labels"]
        _check_part(path, part, pixels, values)
        images.append(pixels[..., 0] if pixels.ndim == 4 and pixels.shape[3] == 1 else pixels)
        labels.append(values.reshape(len(values), -1))
        cases += [f"{part}/{i:06d}" for i in range(len(pixels))]
        split += [part] * len(pixels)
    if len({pixels.shape[1:] for pixels in images}) > 1 or len({values.shape[1] for values in labels}) > 1:
        raise UserError(f"{path}: the shapes of images and labels must be equal in the three parts")
    pixels, values = np.concatenate(images), np.concatenate(labels)
    classes, targets, names = _targets(path, values)
    table = CaseTable(
        path.stem,
        None,
        tuple(cases),
        tuple(cases),
        tuple(cases),
        classes,
        targets,
        values.shape[1] > 1,
        (tuple(split),),
        names,
        pixels,
    )
    return find_groups(table, config.groups)


def _load(path: Path) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            missing = [key for key in KEYS if key not in members]
            if missing:
                raise UserError(
                    f"{path} is not a MedMNIST file: it has no array {missing[0]}. Arrays: {', '.join(members)}"
                )
            total = sum(members[key].file_size for key in KEYS)
            if total > psutil.virtual_memory().total // 2:
                raise UserError(f"{path} needs {total / 2**30:.1f} GiB, more than half of the memory")
            return {key: _read_array(path, archive, members[key]) for key in KEYS}
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{path} is not a readable .npz file: {error}") from None


def _read_array(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    """Read one array if its declared size equals its stored size."""
    try:
        with archive.open(info) as file:
            version = np.lib.format.read_magic(file)
            read_header = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }.get(version)
            if read_header is None:
                raise ValueError(f"unknown version {version} of the array format")
            shape, fortran, dtype = read_header(file)
            stored = info.file_size - file.tell()
            if dtype.hasobject:
                raise ValueError("it contains Python objects")
            if math.prod(shape) * dtype.itemsize != stored:
                raise ValueError(f"it declares {math.prod(shape) * dtype.itemsize} bytes but has {stored}")
            data = np.frombuffer(file.read(stored), dtype)
            return data.reshape(shape, order="F" if fortran else "C")
    except (ValueError, TypeError, SyntaxError) as error:
        raise UserError(f"{path}: array {info.filename} cannot be read: {error}") from None


def _check_part(path: Path, part: str, pixels: np.ndarray, values: np.ndarray) -> None:
    flat = pixels.ndim == 3 or (pixels.ndim == 4 and pixels.shape[3] in (1, 3))
    if pixels.dtype != np.uint8 or not flat or 0 in pixels.shape:
        rule = "non-empty uint8 of shape (n, height, width) or (n, height, width, 3)"
        raise UserError(f"{path}: {part}_images must be {rule}. Received: {pixels.dtype} {pixels.shape}")
    if values.dtype.kind not in "iub" or values.ndim not in (1, 2) or len(values) != len(pixels) or 0 in values.shape:
        rule = f"integers of shape ({len(pixels)}, n_labels)"
        raise UserError(f"{path}: {part}_labels must be {rule}. Received: {values.dtype} {values.shape}")


def _targets(path: Path, values: np.ndarray) -> tuple[tuple[str, ...], np.ndarray, tuple[str, ...]]:
    """Return the classes, the targets and the labels as text."""
    if values.shape[1] > 1:
        if not np.isin(values, (0, 1)).all():
            raise UserError(
                f"{path}: labels of a multi-label task must be 0 or 1. Received: {np.unique(values)[:5].tolist()}"
            )
        classes = tuple(str(i) for i in range(values.shape[1]))
        names = tuple(";".join(str(i) for i in np.flatnonzero(row)) for row in values)
        return classes, values.astype(np.float32), names
    if values.min() < 0:
        raise UserError(f"{path}: labels must be integers >= 0. Received: {values.min()}")
    names = tuple(str(value) for value in values[:, 0].astype(np.int64).tolist())
    classes = sort_classes(names)
    found, inverse = np.unique(values[:, 0], return_inverse=True)
    return tuple(str(int(value)) for value in found), inverse.astype(np.int32), names
