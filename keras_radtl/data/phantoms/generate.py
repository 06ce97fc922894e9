"""Simulated breast-ultrasound images with known answers: class, patient and outline of the lesion.

Benign lesions are smooth ovals, wider than tall, with a bright zone below; malignant ones have a lobulated or
spiculated outline, are taller than wide and cast a shadow; normal breasts hold none, but the shadows of ligaments,
dark lobules and bright fibres that every class has. One number per lesion, its suspicion, drives all these signs, each
with a deviation of its own. The suspicions of the two classes overlap, the more so the higher the difficulty.

Class shares and file names are those of the Breast Ultrasound Images Dataset (BUSI: 437 benign, 210 malignant, 133
normal). A patient has one to three images: the same breast and lesion with other tissue texture, place and speckle.
An image depends on (seed, class, patient, view) alone, not on the number of images or on their size.

Reference: Al-Dhabyani et al. 2020, Dataset of breast ultrasound images (Data in Brief 28); Stavros et al. 1995, Solid
breast nodules: use of sonography to distinguish between benign and malignant lesions (Radiology 196), for the signs.
"""

from __future__ import annotations

import csv
import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from keras_radtl.config import PhantomConfig, UserError, require
from keras_radtl.data.phantoms import ultrasound
from keras_radtl.data.phantoms.ultrasound import Anatomy, Scanner, Tissue
from keras_radtl.data.table import CaseTable, case_names

SHARES = {"benign": 437, "malignant": 210, "normal": 133}  # of BUSI's 780 images
INDEX_FILE = "phantoms.csv"
INDEX_COLUMNS = ("path", "label", "patient", "mask")
_GRID = 256  # pixels of the simulation; smaller images are averaged down from it
_SEPARATION = 2.7  # mean suspicion of malignant lesions at difficulty 0, in standard deviations between lesions
_SIGN_NOISE = 0.5  # standard deviation of one sign about its lesion's suspicion
_VIEWS = (0.4, 0.35, 0.25)  # share of patients with 1, 2 and 3 images


class Phantom(NamedTuple):
    """One image with its answers.

    Attributes:
        label: benign, malignant or normal.
        patient: name of the patient.
        image: uint8 (size, size).
        mask: uint8 (size, size), 1 inside the lesion.
    """

    label: str
    patient: str
    image: np.ndarray
    mask: np.ndarray


class Lesion(NamedTuple):
    """What is the same in every view of one lesion; lengths are fractions of the image side.

    Attributes:
        x: place across.
        y: depth.
        radius: half of its mean diameter.
        aspect: height over width.
        tilt: angle of its long axis, radians.
        outline: float (n,), radius over mean radius by angle, round the whole turn.
        softness: width of its margin over its radius.
        echo: decibel inside.
        texture: decibel of variation inside.
        attenuation: decibel per image depth inside.
        halo: decibel of the bright zone around it.
        capsule: decibel of the thin bright line above and below it.
        specks: number of microcalcifications.
    """

    x: float
    y: float
    radius: float
    aspect: float
    tilt: float
    outline: np.ndarray
    softness: float
    echo: float
    texture: float
    attenuation: float
    halo: float
    capsule: float
    specks: int


def phantoms(config: PhantomConfig) -> Iterator[Phantom]:
    """Yield the images class by class and patient by patient.

    Raises:
        UserError: when the seed is negative.
    """
    require(config.seed >= 0, "seed", ">= 0", config.seed)
    for place, (label, count) in enumerate(_class_counts(config.count).items()):
        patient = 0
        while count > 0:
            key = (config.seed, place, patient)
            random = np.random.default_rng(key)
            views = min(count, int(random.choice(3, p=_VIEWS)) + 1)
            anatomy, scanner = ultrasound.draw_anatomy(random), ultrasound.draw_scanner(random)
            lesion = None if label == "normal" else _draw_lesion(label == "malignant", config.difficulty, random)
            for view in range(views):
                image, mask = _view(anatomy, scanner, lesion, config.image_size, np.random.default_rng((*key, view)))
                yield Phantom(label, f"{label}-{patient + 1:04d}", image, mask)
            count, patient = count - views, patient + 1


def make_phantoms(config: PhantomConfig) -> CaseTable:
    """Make the images in memory, as a case table with masks.

    Returns:
        A table of three classes whose groups are the patients; its paths are those `write_phantoms` gives.
    """
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
    """Write the images as class folders of PNG files with BUSI's names, and an index with label and patient.

    Everything is written beside `folder` first and put in its place by one renaming.

    Args:
        folder: folder to make; it may exist when it is empty.
        config: number, size, difficulty and seed.
        masks: also write `<name>_mask.png`, 255 inside the lesion.
        overwrite: replace a folder that an earlier call wrote.
    Returns:
        Number of images.
    Raises:
        UserError: when the folder holds anything and may not be replaced.
    """
    folder = Path(folder).expanduser().resolve()
    _check_place(folder, overwrite)
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


def _check_place(folder: Path, overwrite: bool) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UserError(f"`folder` must be a folder. Received: {folder}")
    if any(folder.iterdir()):
        if not overwrite:
            raise UserError(f"{folder} is not empty. Choose another folder or pass --overwrite")
        if not (folder / INDEX_FILE).is_file():
            raise UserError(f"{folder} holds no {INDEX_FILE}: only a folder of phantoms is overwritten")


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
    """Divide `count` images by BUSI's shares; the largest remainders are rounded up."""
    exact = {label: count * share / sum(SHARES.values()) for label, share in SHARES.items()}
    counts = {label: int(value) for label, value in exact.items()}
    for label in sorted(SHARES, key=lambda name: counts[name] - exact[name])[: count - sum(counts.values())]:
        counts[label] += 1
    return counts


def _draw_lesion(malignant: bool, difficulty: float, random: np.random.Generator) -> Lesion:
    suspicion = (1 if malignant else -1) * _SEPARATION * (1 - difficulty) + random.normal()

    def sign(low: float, high: float) -> float:
        """Return a sign between its plainly benign and its plainly malignant value."""
        share = 1 / (1 + math.exp(-1.5 * (suspicion + _SIGN_NOISE * random.normal())))
        return low + (high - low) * share

    spikes = max(0.0, sign(-0.5, 0.5))
    cyst = random.random() < 0.3 * max(0.0, sign(1, -1))
    lesion = Lesion(
        x=random.uniform(0.25, 0.75),
        y=random.uniform(0.22, 0.5),
        radius=0.095 * math.exp(random.normal(0, 0.35)),
        aspect=sign(0.55, 1.3) * math.exp(random.normal(0, 0.12)),
        tilt=random.normal(0, 0.2),
        outline=_draw_outline(sign(0.02, 0.14), spikes, random),
        softness=sign(0.10, 0.45),
        echo=-29 - random.uniform(2, 14),
        texture=sign(1.5, 4) * random.uniform(0.5, 1.5),
        attenuation=sign(0, 110) * random.uniform(0.6, 1.4),
        halo=max(0.0, sign(-3, 7)),
        capsule=max(0.0, sign(9, -3)),
        specks=int(random.poisson(max(0.0, sign(-2, 4)))),
    )
    return lesion._replace(echo=-60.0, texture=0.0, attenuation=0.0) if cyst else lesion


def _draw_outline(lobulation: float, spikes: float, random: np.random.Generator) -> np.ndarray:
    """Draw the radius by angle: lobes of the harmonics 2 to 7, and sharp spicules on top."""
    angle = np.linspace(0, 2 * np.pi, 256, endpoint=False)
    outline = np.ones_like(angle)
    for harmonic in range(2, 8):
        outline += (
            lobulation * random.normal() * np.cos(harmonic * angle + random.uniform(0, 2 * np.pi)) / harmonic**0.5
        )
    for _ in range(random.integers(5, 14)):
        distance = np.angle(np.exp(1j * (angle - random.uniform(0, 2 * np.pi))))
        outline += spikes * random.uniform(0.1, 1.6) * np.exp(-np.abs(distance) / random.uniform(0.06, 0.2))
    return np.clip(outline, 0.4, 2.2).astype(np.float32)


def _view(anatomy: Anatomy, scanner: Scanner, lesion: Lesion | None, size: int, random: np.random.Generator):
    """Return image and mask, uint8 (size, size), of one view of a patient."""
    grid = max(_GRID, size)
    tissue, inside = ultrasound.breast(anatomy, grid, random), np.zeros((grid, grid), np.float32)
    if lesion is not None:
        x, y = lesion.x + random.normal(0, 0.06), lesion.y + random.normal(0, 0.02)
        lesion = lesion._replace(
            x=x, y=y, radius=lesion.radius * random.uniform(0.85, 1.15), tilt=lesion.tilt + random.normal(0, 0.1)
        )
        tissue, inside = _insert(lesion, tissue, random)
    image = ultrasound.b_mode(tissue, scanner._replace(gain=scanner.gain + random.normal(0, 1.5)), random)
    if size < grid:
        image, inside = (cv2.resize(m, (size, size), interpolation=cv2.INTER_AREA) for m in (image, inside))
    return image, (inside > 0.5).astype(np.uint8)


def _insert(lesion: Lesion, tissue: Tissue, random: np.random.Generator) -> tuple[Tissue, np.ndarray]:
    """Put the lesion into the tissue; also return the float32 share of each pixel that lies inside."""
    grid = len(tissue.echo)
    down, along = np.mgrid[:grid, :grid].astype(np.float32) / grid
    along, down = along - lesion.x, down - lesion.y
    cosine, sine, stretch = math.cos(lesion.tilt), math.sin(lesion.tilt), lesion.aspect**0.5
    across = (cosine * along + sine * down) * (stretch / lesion.radius)
    height = (cosine * down - sine * along) / (stretch * lesion.radius)
    distance, turn = cv2.cartToPolar(across, height)
    angle = (turn * (len(lesion.outline) / (2 * math.pi))).astype(np.int32) % len(lesion.outline)
    level = distance / lesion.outline[angle]  # 1 on the outline
    inside = np.clip((1 - level) / lesion.softness + 0.5, 0, 1)

    rim = lesion.capsule * np.exp(-np.square((level - 1) / 0.07)) * np.square(height)
    zone = lesion.halo * np.exp(-np.square((level - 1.25) / 0.25))
    within = lesion.echo + lesion.texture * ultrasound.smooth_noise(random, grid, 0.03, 0.04)
    echo = tissue.echo + inside * (within - tissue.echo) + rim + zone
    for _ in range(lesion.specks):
        x, y = (lesion.radius * random.uniform(-0.6, 0.6) for _ in range(2))
        echo += 18 * np.exp(-np.square((along - x) / 0.006) - np.square((down - y) / 0.004))
    attenuation = tissue.attenuation + inside * (lesion.attenuation - tissue.attenuation)
    attenuation += 6 * lesion.capsule * np.exp(-np.square((level - 1) / 0.1)) * (np.abs(across) > 0.85)  # refraction
    return Tissue(echo, attenuation), inside
