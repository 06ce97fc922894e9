"""Lesions of the simulated breast-ultrasound images: their random properties and their tissue.

Benign lesions are smooth ovals, wider than tall, with posterior enhancement. Malignant lesions have a lobulated or
spiculated outline, are taller than wide and cast a shadow. All signs of a lesion depend on one latent number, its
suspicion, and on noise. The suspicions of the two classes overlap more at a higher difficulty.

Reference: Stavros et al. 1995, Solid breast nodules: use of sonography to distinguish between benign and malignant
lesions (Radiology 196), for the signs.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

from keras_radtl.data.phantoms import ultrasound
from keras_radtl.data.phantoms.ultrasound import Tissue

_SEPARATION = 2.7  # mean suspicion of malignant lesions at difficulty 0, in standard deviations between lesions
_SIGN_NOISE = 0.5  # standard deviation of the noise of one sign


class Lesion(NamedTuple):
    """The properties that all views of a lesion share; lengths are fractions of the image side.

    Attributes:
        x: Lateral position.
        y: Depth.
        radius: Half of the mean diameter.
        aspect: Height divided by width.
        tilt: Angle of the long axis in radians.
        outline: float array of shape (n,), radius divided by mean radius at n equally spaced angles.
        softness: Width of the margin divided by the radius.
        echo: Echo level inside in decibels.
        texture: Variation of the echo level inside in decibels.
        attenuation: Attenuation inside in decibels per image depth.
        halo: Echo level of the bright zone around the lesion in decibels.
        capsule: Echo level of the thin bright line above and below the lesion in decibels.
        specks: Number of microcalcifications.
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


def draw_lesion(malignant: bool, difficulty: float, random: np.random.Generator) -> Lesion:
    """Draw a random lesion.

    Args:
        malignant: Whether the lesion is malignant.
        difficulty: 0 (the classes differ clearly) to 1 (the classes have the same distribution).
        random: Random generator.
    """
    suspicion = (1 if malignant else -1) * _SEPARATION * (1 - difficulty) + random.normal()

    def sign(low: float, high: float) -> float:
        """Return the value of a sign between `low`, clearly benign, and `high`, clearly malignant."""
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
    """Draw the radius by angle: lobes from the harmonics 2 to 7, plus sharp spicules."""
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


def insert_lesion(lesion: Lesion, tissue: Tissue, random: np.random.Generator) -> tuple[Tissue, np.ndarray]:
    """Insert a lesion into the tissue.

    Args:
        lesion: The lesion.
        tissue: Healthy tissue, maps of shape (grid, grid).
        random: Random generator of the texture and the microcalcifications.

    Returns:
        The tissue with the lesion, and a float32 array of shape (grid, grid): how far a pixel is inside the lesion,
        from 0 to 1.
    """
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
