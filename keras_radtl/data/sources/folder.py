"""A folder of class folders, with or without train, val and test folders above them.

    root/benign/benign (1).png               root/train/benign/a.png
    root/malignant/malignant (1).png         root/val/benign/b.png        (validation and valid too, any case)
                                             root/test/benign/c.png

Files with `_mask` in their name, hidden files and files that are not PNG, JPEG, BMP or TIFF are left out and counted
in the notes. Folders inside a class folder belong to that class.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from keras_radtl.config import DataConfig, UserError
from keras_radtl.data.sources.groups import find_groups
from keras_radtl.data.sources.paths import IMAGE_SUFFIXES, Root, is_image_name
from keras_radtl.data.table import CaseTable, case_names, encode_labels, sort_classes

SPLIT_FOLDERS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val"}
SPLIT_FOLDERS |= {"test": "test", "testing": "test"}


def read(path: Path, config: DataConfig) -> CaseTable:
    """Read the images below `path`; the names of the class folders are the classes.

    Raises:
        UserError: for an empty folder, fewer than two classes, split folders beside others, or a link out of `path`.
    """
    parts = _split_folders(path)
    left_out: Counter = Counter()
    rows = []  # (relative path, class, part)
    for prefix, part in parts.items() if parts else [("", "")]:
        for class_name in _folders(path / prefix):
            below = f"{prefix}/{class_name}" if prefix else class_name
            names = [f"{below}/{name}" for name in _images(path / below, left_out)]
            left_out[f"class folders without an image ({below})"] += not names
            rows += [(name, class_name, part) for name in names]
    notes = tuple(f"left out: {what}: {count}" for what, count in left_out.items() if count)
    if not rows:
        detail = f" ({'; '.join(notes)})" if notes else ""
        raise UserError(f"No images in class folders: expected {path}/<class>/*.png{detail}")
    rows.sort()
    paths, labels, given = zip(*rows, strict=True)
    root = Root(path)
    for name in paths:
        _check(root, name, path)
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
        given=(given,) if parts else (),
        labels=labels,
        notes=notes,
    )
    return find_groups(table, config.groups)


def _check(root: Root, name: str, path: Path) -> None:
    try:
        root.check(name)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _folders(path: Path) -> list[str]:
    with os.scandir(path) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def _split_folders(path: Path) -> dict[str, str]:
    """Return folder name -> part when the folders of `path` are the parts of a split, else nothing."""
    names = _folders(path)
    parts = {name: SPLIT_FOLDERS[name.lower()] for name in names if name.lower() in SPLIT_FOLDERS}
    if not parts:
        return {}
    others = [name for name in names if name not in parts]
    if others:
        raise UserError(f"{path}: split folders ({', '.join(parts)}) stand beside other folders ({', '.join(others)})")
    twice = [part for part, count in Counter(parts.values()).items() if count > 1]
    if twice:
        raise UserError(f"{path}: two folders for {twice[0]}: {', '.join(n for n in parts if parts[n] == twice[0])}")
    return parts


def _images(path: Path, left_out: Counter) -> Iterator[str]:
    """Yield image paths relative to the class folder; count what is left out."""
    for folder, folders, names in os.walk(path, onerror=_raise):
        left_out["linked folders"] += sum(os.path.islink(os.path.join(folder, name)) for name in folders)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            if name.startswith("."):
                left_out["hidden files"] += 1
            elif not is_image_name(name):
                suffix = os.path.splitext(name)[1].lower() or "no suffix"
                left_out[f"files that are not {', '.join(s[1:] for s in IMAGE_SUFFIXES)} ({suffix})"] += 1
            elif "_mask" in os.path.splitext(name)[0].lower():
                left_out["files with _mask in their name"] += 1
            else:
                yield os.path.relpath(os.path.join(folder, name), path).replace(os.sep, "/")


def _raise(error: OSError) -> None:
    raise error
