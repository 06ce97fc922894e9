"""Simulated breast-ultrasound images with known class, patient and lesion mask.

Benign and malignant images show a lesion (see `lesions`), normal images do not. Images of all classes have ligament
shadows, dark lobules and bright fibres.

Class shares and file names are those of the Breast Ultrasound Images Dataset (BUSI: 437 benign, 210 malignant, 133
normal). A patient has one to three images of the same breast and lesion that differ in tissue texture, position and
speckle. An image depends only on (seed, class, patient, view), not on the number of images. Its size changes only the
resolution.

Reference: Al-Dhabyani et al. 2020, Dataset of breast ultrasound images (Data in Brief 28).
"""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import psutil

from keras_radtl.config import PhantomConfig, UserError
from keras_radtl.config.paths import user_path
from keras_radtl.data.phantoms import ultrasound
from keras_radtl.data.phantoms.lesions import Lesion, draw_lesion, insert_lesion
from keras_radtl.data.phantoms.ultrasound import Anatomy, Scanner
from keras_radtl.data.table import CaseTable, case_names

SHARES = {"benign": 437, "malignant": 210, "normal": 133}  # of BUSI's 780 images
INDEX_FILE = "phantoms.csv"
INDEX_COLUMNS = ("path", "label", "patient", "mask")
_GRID = 256  # smallest side of the simulation in pixels; smaller images are downsampled from it
_VIEWS = (0.4, 0.35, 0.25)  # share of patients with 1, 2 and 3 images


class Phantom(NamedTuple):
    """One image with its class, patient and lesion mask.

    Attributes:
        label: benign, malignant or normal.
        patient: Name of the patient.
        image: uint8 array of shape (size, size).
        mask: uint8 array of shape (size, size), 1 inside the lesion.
    """

    label: str
    patient: str
    image: np.ndarray
    mask: np.ndarray


def phantoms(config: PhantomConfig) -> Iterator[Phantom]:
    """Yield the images, sorted by class and patient.

    Args:
        config: Number, size, difficulty and seed.

    Yields:
        One `Phantom` per image.
    """
    for class_index, (label, count) in enumerate(_class_counts(config.count).items()):
        patient = 0
        while count > 0:
            key = (config.seed, class_index, patient)
            random = np.random.default_rng(key)
            views = min(count, int(random.choice(3, p=_VIEWS)) + 1)
            anatomy, scanner = ultrasound.draw_anatomy(random), ultrasound.draw_scanner(random)
            lesion = None if label == "normal" else draw_lesion(label == "malignant", config.difficulty, random)
            for view in range(views):
                image, mask = _view(anatomy, scanner, lesion, config.image_size, np.random.default_rng((*key, view)))
                yield Phantom(label, f"{label}-{patient + 1:04d}", image, mask)
            count, patient = count - views, patient + 1


def make_phantoms(config: PhantomConfig) -> CaseTable:
    """Make the images in memory.

    Args:
        config: Number, size, difficulty and seed.

    Returns:
        A `CaseTable` with images and masks, three classes, and patients as groups. Its paths are those of the files
        that `write_phantoms` writes.
    """
    needed = 2 * config.count * config.image_size**2
    if needed > psutil.virtual_memory().total // 2:
        advice = "python -m keras_radtl.phantoms writes them as files"
        raise UserError(f"`count`: {config.count} images need {needed / 2**30:.0f} GiB of memory; {advice}")
    made = list(phantoms(config))
    labels = tuple(phantom.label for phantom in made)
    classes, paths = tuple(SHARES), tuple(_file_names(labels))
    return CaseTable(
        name="phantoms",
        root=None,
        cases=case_names(paths),
        paths=paths,
        groups=tuple(phantom.patient for phantom in made),
        classes=classes,
        targets=np.array([classes.index(label) for label in labels], np.int32),
        labels=labels,
        pixels=np.stack([phantom.image for phantom in made]),
        masks=np.stack([phantom.mask for phantom in made]),
        group_source="simulated patients",
    )


def write_phantoms(folder: str | Path, config: PhantomConfig, masks: bool = True, overwrite: bool = False) -> int:
    """Write the images as class folders of PNG files with BUSI's names, and an index with labels and patients.

    Everything is written to a temporary folder next to `folder`, which is then renamed.

    Args:
        folder: Folder to make; it may exist if it is empty.
        config: Number, size, difficulty and seed.
        masks: Whether to write `<name>_mask.png` files, 255 inside the lesion.
        overwrite: Whether to replace a folder that an earlier call wrote.

    Returns:
        Number of images.

    Raises:
        UserError: If the folder is not empty and cannot be overwritten.
    """
    folder = user_path(folder).resolve()
    _check_folder(folder, overwrite)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    try:
        count = _write(partial, config, masks)
        if folder.exists():
            old = folder.with_name(f".{folder.name}.old-{os.getpid()}")
            folder.rename(old)
            partial.rename(folder)
            shutil.rmtree(old)
        else:
            partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return count


def _check_folder(folder: Path, overwrite: bool) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UserError(f"`folder` must be a folder. Received: {folder}")
    if any(folder.iterdir()):
        if not overwrite:
            raise UserError(f"{folder} is not empty. Choose another folder or use `overwrite=True`")
        if not (folder / INDEX_FILE).is_file():
            raise UserError(f"{folder} has no {INDEX_FILE}. Only a folder of phantoms can be overwritten")


def _write(folder: Path, config: PhantomConfig, masks: bool) -> int:
    made = phantoms(config)
    labels = [label for label, count in _class_counts(config.count).items() for _ in range(count)]
    for label in SHARES:
        (folder / label).mkdir(parents=True)
    with open(folder / INDEX_FILE, "w", encoding="utf-8", newline="") as file:
        index = csv.writer(file)
        index.writerow(INDEX_COLUMNS)
        for name, phantom in zip(_file_names(labels), made, strict=True):
            mask_name = name.removesuffix(".png") + "_mask.png" if masks else ""
            _write_png(folder / name, phantom.image)
            if masks:
                _write_png(folder / mask_name, 255 * phantom.mask)
            index.writerow((name, phantom.label, phantom.patient, mask_name))
    return len(labels)


def _write_png(path: Path, image: np.ndarray) -> None:
    path.write_bytes(cv2.imencode(".png", image)[1])


def _file_names(labels) -> Iterator[str]:
    seen = dict.fromkeys(SHARES, 0)
    for label in labels:
        seen[label] += 1
        yield f"{label}/{label} ({seen[label]}).png"


def _class_counts(count: int) -> dict[str, int]:
    """Return the number of images of each class, in proportion to BUSI (largest remainder method)."""
    exact = {label: count * share / sum(SHARES.values()) for label, share in SHARES.items()}
    counts = {label: int(value) for label, value in exact.items()}
    for label in sorted(SHARES, key=lambda name: counts[name] - exact[name])[: count - sum(counts.values())]:
        counts[label] += 1
    return counts


def _view(anatomy: Anatomy, scanner: Scanner, lesion: Lesion | None, size: int, random: np.random.Generator):
    """Return the image and the mask of one view of a patient, uint8 arrays of shape (size, size)."""
    grid = max(_GRID, size)
    tissue, inside = ultrasound.breast(anatomy, grid, random), np.zeros((grid, grid), np.float32)
    if lesion is not None:
        x, y = lesion.x + random.normal(0, 0.06), lesion.y + random.normal(0, 0.02)
        lesion = lesion._replace(
            x=x, y=y, radius=lesion.radius * random.uniform(0.85, 1.15), tilt=lesion.tilt + random.normal(0, 0.1)
        )
        tissue, inside = insert_lesion(lesion, tissue, random)
    image = ultrasound.b_mode(tissue, scanner._replace(gain=scanner.gain + random.normal(0, 1.5)), random)
    if size < grid:
        image, inside = (cv2.resize(m, (size, size), interpolation=cv2.INTER_AREA) for m in (image, inside))
    return image, (inside > 0.5).astype(np.uint8)
