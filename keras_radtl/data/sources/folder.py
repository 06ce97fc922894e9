"""Read a folder of class folders, optionally inside train, val and test folders.

    root/benign/benign (1).png               root/train/benign/a.png
    root/malignant/malignant (1).png         root/val/benign/b.png
                                             root/test/benign/c.png

Split folders may also be called training, valid, validation and testing, in upper or lower case. Files with `_mask` in
their name, hidden files and files other than PNG, JPEG, BMP and TIFF are excluded, and the notes report their number.
Images in subfolders of a class folder belong to that class. A folder, pipe or device with the name of an image is an
error, or is listed in rejected.csv with `on_bad_image="skip"`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from keras_radtl.config import DataConfig, UserError
from keras_radtl.config.errors import listed
from keras_radtl.data.sources.groups import find_groups
from keras_radtl.data.sources.paths import IMAGE_SUFFIXES, Root, is_hidden_name, is_image_name, is_mask_name, printable
from keras_radtl.data.table import CaseTable, Rejected, case_names, encode_labels, sort_classes

SPLIT_FOLDERS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val"}
SPLIT_FOLDERS |= {"test": "test", "testing": "test"}


def read(path: Path, config: DataConfig) -> CaseTable:
    """Read the images in a folder; the names of the class folders are the classes.

    Args:
        path: The folder.
        config: How groups are found.

    Returns:
        The `CaseTable`.

    Raises:
        UserError: If there are no images or fewer than two classes, if the folder has both split folders and other
            folders, or if a link leaves the folder.
    """
    parts = _split_folders(path)
    excluded: Counter = Counter()
    rows = []  # (relative path, class, part)
    for prefix, part in parts.items() if parts else [("", "")]:
        for class_name in _folders(path / prefix):
            below = f"{prefix}/{class_name}" if prefix else class_name
            names = [f"{below}/{name}" for name in _images(path / below, excluded)]
            excluded[f"class folders without images ({printable(below)})"] += not names
            rows += [(name, class_name, part) for name in names]
    notes = tuple(f"excluded: {what}: {count}" for what, count in excluded.items() if count)
    if not rows:
        detail = f" ({'; '.join(notes)})" if notes else ""
        raise UserError(f"No images in class folders: expected {path}/<class>/*.png{detail}")
    rows, rejected = _check(path, sorted(rows), config.on_bad_image == "skip")
    paths, labels, split = zip(*rows, strict=True)
    classes, cases = sort_classes(labels), case_names(paths)
    targets = encode_labels(labels, classes)
    table = CaseTable(
        path.resolve().name,
        path,
        cases,
        paths,
        cases,
        classes,
        targets,
        predefined_splits=(split,) if parts else (),
        labels=labels,
        notes=notes,
        rejected=rejected,
    )
    return find_groups(table, config.groups)


def _check(path: Path, rows: list[tuple[str, str, str]], skip: bool):
    """Return the rows whose files are regular files inside the folder, and the others if `skip`.

    Raises:
        UserError: For the first of the others without `skip`, and if no row is left.
    """
    root, kept, rejected = Root(path), [], []
    for row in rows:
        try:
            root.check(row[0])
            kept.append(row)
        except UserError as error:
            if not skip:
                raise UserError(f"{path}: {error}") from None
            rejected.append(Rejected(printable(row[0]), str(error)))
    if not kept:
        raise UserError(f"{path} has no image that can be used. First: {rejected[0].reason}")
    return kept, tuple(rejected)


def _folders(path: Path) -> list[str]:
    with os.scandir(path) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not is_hidden_name(entry.name))


def _split_folders(path: Path) -> dict[str, str]:
    """Return the part of each split folder in `path`, or an empty dict if there are none."""
    names = _folders(path)
    parts = {name: SPLIT_FOLDERS[name.lower()] for name in names if name.lower() in SPLIT_FOLDERS}
    if not parts:
        return {}
    others = [name for name in names if name not in parts]
    if others:
        raise UserError(f"{path} has both split folders ({', '.join(parts)}) and other folders ({listed(others)})")
    repeated = [part for part, count in Counter(parts.values()).items() if count > 1]
    if repeated:
        names = ", ".join(name for name in parts if parts[name] == repeated[0])
        raise UserError(f"{path} has several folders for {repeated[0]}: {names}")
    return parts


def _images(path: Path, excluded: Counter) -> Iterator[str]:
    """Yield image paths relative to the class folder; count the excluded files in `excluded`."""
    for folder, folders, names in os.walk(path, onerror=_raise):
        excluded["linked folders"] += sum(os.path.islink(os.path.join(folder, name)) for name in folders)
        names += [
            name for name in folders if is_image_name(name) and not is_hidden_name(name)
        ]  # no image, and no folder
        folders[:] = sorted(name for name in folders if not is_hidden_name(name) and not is_image_name(name))
        for name in names:
            if name.startswith("._"):
                excluded["metadata files of macOS (._*)"] += 1
            elif is_hidden_name(name):
                excluded["hidden files"] += 1
            elif not is_image_name(name):
                suffix = printable(os.path.splitext(name)[1].lower()) or "no suffix"
                excluded[f"files that are not {', '.join(s[1:] for s in IMAGE_SUFFIXES)} ({suffix})"] += 1
            elif is_mask_name(name):
                excluded["files with _mask in their name"] += 1
            else:
                yield os.path.relpath(os.path.join(folder, name), path).replace(os.sep, "/")


def _raise(error: OSError) -> None:
    raise error
