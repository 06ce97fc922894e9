"""A simple simulation of ultrasound: maps of echo and attenuation of breast tissue, and the B-mode image of them.

A map is a float32 array of shape (grid, grid); rows are depth, columns are lateral positions. Echo is in decibels,
attenuation in decibels per image depth (round trip). Lengths are fractions of the image side and so do not depend on
the grid.

A B-mode image is the logarithm of an envelope. Many scatterers smaller than the pulse add up with random phase. The
pulse, narrower along the depth than laterally, blurs the complex sum, and its magnitude is Rayleigh distributed
(speckle). The attenuation is accumulated along the depth, which causes posterior shadows and enhancement.

Reference: Burckhardt 1978, Speckle in ultrasound B-mode scans; Wagner et al. 1983, Statistics of speckle in
ultrasound B-scans (IEEE Transactions on Sonics and Ultrasonics).
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

_TRANSITION = 0.03  # thickness of the boundary between two layers, fraction of the image side
_CUBIC_LOSS = 1.12  # factor by which cubic interpolation reduces the standard deviation of noise, per axis
_NOISE_FLOOR = -70.0  # decibels; electronic noise, amplified with depth by time-gain compensation


class Tissue(NamedTuple):
    """Acoustic properties of the tissue.

    Attributes:
        echo: float32 array of shape (grid, grid) in decibels; 0 is a bright reflector.
        attenuation: float32 array of shape (grid, grid) in decibels per image depth.
    """

    echo: np.ndarray
    attenuation: np.ndarray


class Anatomy(NamedTuple):
    """The layers of one breast; depths and lengths are fractions of the image side.

    Attributes:
        fat: Depth where the subcutaneous fat ends.
        gland: Depth where the glandular tissue ends.
        muscle: Depth where the pectoral muscle ends.
        wave: Amplitude of the waves of the boundaries.
        tilt: Slope of the layers, depth per width.
        density: Density of the glandular tissue, from 0 (like fat) to 1 (bright and dense).
        streaks: Echo level of the fibres in decibels.
        lobules: Decibels by which fat lobules in the gland are darker than the gland.
        ligaments: Number of Cooper ligaments that cast a shadow.
    """

    fat: float
    gland: float
    muscle: float
    wave: float
    tilt: float
    density: float
    streaks: float
    lobules: float
    ligaments: int


class Scanner(NamedTuple):
    """Settings of the ultrasound scanner.

    Attributes:
        dynamic_range: Decibels from black to white.
        gain: Gain in decibels.
        slope: Decibels by which time-gain compensation is too high (> 0) or too low (< 0) at the bottom.
        bend: Decibels by which it is too high at half depth.
        lateral: Lateral standard deviation of the pulse, fraction of the image side.
        axial: Standard deviation of the pulse along the depth, fraction of the image side.
        looks: Number of images averaged by spatial compounding.
    """

    dynamic_range: float
    gain: float
    slope: float
    bend: float
    lateral: float
    axial: float
    looks: int


def draw_anatomy(random: np.random.Generator) -> Anatomy:
    """Draw random layers of one breast."""
    fat = random.uniform(0.10, 0.30)
    gland = fat + random.uniform(0.30, 0.50)
    return Anatomy(
        fat=fat,
        gland=gland,
        muscle=gland + random.uniform(0.10, 0.25),
        wave=random.uniform(0.006, 0.028),
        tilt=random.normal(0, 0.06),
        density=random.uniform(0.2, 1.0),
        streaks=random.uniform(8, 17),
        lobules=random.uniform(0, 10),
        ligaments=int(random.poisson(0.8)),
    )


def draw_scanner(random: np.random.Generator) -> Scanner:
    """Draw random settings of one examination."""
    return Scanner(
        dynamic_range=random.uniform(48, 60),
        gain=random.normal(-3, 3),
        slope=random.uniform(-30, 0),
        bend=random.normal(0, 3),
        lateral=random.uniform(0.0040, 0.0065),
        axial=random.uniform(0.0016, 0.0026),
        looks=int(random.integers(2, 4)),
    )


def smooth_noise(random: np.random.Generator, grid: int, height: float, width: float) -> np.ndarray:
    """Return smooth noise with mean 0 and a variance of about 1.

    Args:
        random: Random generator.
        grid: Side of the map in pixels.
        height: Size of the structures along the depth, fraction of the side.
        width: Lateral size of the structures, fraction of the side.

    Returns:
        float32 array of shape (grid, grid).
    """
    rows, columns = max(2, round(1 / height)) + 3, max(2, round(1 / width)) + 3
    coarse = random.standard_normal((rows, columns), np.float32)
    # a margin of one coarse cell on each side, where the interpolation lacks neighbours
    shape = (round(grid * columns / (columns - 2)), round(grid * rows / (rows - 2)))
    fine = cv2.resize(coarse, shape, interpolation=cv2.INTER_CUBIC)
    top, left = (shape[1] - grid) // 2, (shape[0] - grid) // 2
    return _CUBIC_LOSS**2 * fine[top : top + grid, left : left + grid]


def smooth_line(random: np.random.Generator, grid: int, length: float) -> np.ndarray:
    """Return smooth noise along one row, float32 of shape (1, grid), with mean 0 and a variance of about 1."""
    columns = max(2, round(1 / length)) + 3
    coarse = random.standard_normal((1, columns), np.float32)
    fine = cv2.resize(coarse, (round(grid * columns / (columns - 2)), 1), interpolation=cv2.INTER_CUBIC)
    left = (fine.shape[1] - grid) // 2
    return _CUBIC_LOSS * fine[:, left : left + grid]


def ridges(noise: np.ndarray, width: float) -> np.ndarray:
    """Return thin curved lines, with values in [0, 1], along the zeros of smooth noise."""
    return np.exp(-np.square(noise / width))


def breast(anatomy: Anatomy, grid: int, random: np.random.Generator) -> Tissue:
    """Make the healthy tissue of one view: skin, fat, gland, muscle and the tissue below.

    Args:
        anatomy: Layers of the breast.
        grid: Side of the maps in pixels.
        random: Random generator of the waves and fibres of this view.

    Returns:
        `Tissue` with maps of shape (grid, grid).
    """
    depth = np.linspace(0, 1, grid, dtype=np.float32)[:, None]
    across = np.linspace(-0.5, 0.5, grid, dtype=np.float32)[None, :]
    waves = [anatomy.wave * smooth_line(random, grid, 0.4) for _ in range(3)]
    bend = waves[1] + anatomy.tilt * across
    fat, gland, muscle = (
        end + wave + anatomy.tilt * across
        for end, wave in zip((anatomy.fat, anatomy.gland, anatomy.muscle), waves, strict=True)
    )
    skin = 0.03 + 0.15 * waves[0]
    echo = _layers(depth, (skin, fat, gland, muscle), (-17.0, -25.0, -23 + 8 * anatomy.density, -23.0, -30.0))
    attenuation = _layers(depth, (skin, fat, gland, muscle), (8.0, 15.0, 40.0, 40.0, 40.0))
    echo += _fibres(anatomy, depth, fat, gland, muscle, bend, grid, random)
    for boundary, bright, thick in (
        (0.004, 16, 0.006),
        (skin, 16, 0.005),
        (fat, 9, 0.009),
        (gland, 10, 0.008),
        (muscle, 13, 0.012),
    ):
        broken = np.clip(0.3 + 0.8 * smooth_line(random, grid, 0.12), 0, 1)
        echo += bright * broken * ridges(depth - boundary, thick)
    for _ in range(anatomy.ligaments):
        attenuation += _ligament_shadow(depth, across, fat, random)
    return Tissue(echo, attenuation)


def _layers(depth, boundaries, values) -> np.ndarray:
    level = np.full((len(depth), boundaries[0].shape[1]), values[0], np.float32)
    for boundary, before, after in zip(boundaries, values[:-1], values[1:], strict=True):
        level += (after - before) * np.clip((depth - boundary) / _TRANSITION + 0.5, 0, 1)
    return level


def _fibres(anatomy, depth, fat, gland, muscle, bend, grid, random) -> np.ndarray:
    """Draw septa in the fat, fibres and fat lobules in the gland, and long fibres in the muscle."""
    rows, columns = np.mgrid[:grid, :grid].astype(np.float32)
    rows = rows - grid * np.broadcast_to(bend, rows.shape).astype(np.float32)

    def bent(texture):
        return cv2.remap(texture, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)

    def lines(height, width, thin):
        present = np.clip(smooth_noise(random, grid, 2 * height, width / 2), 0, 1.5)
        return present * ridges(smooth_noise(random, grid, height, width), thin)

    in_fat, in_gland = depth < fat, (depth >= fat) & (depth < gland)
    septa = lines(0.06, 0.45, 0.14)
    ducts = lines(0.035, 0.16, 0.30) + lines(0.02, 0.12, 0.4) + lines(0.02, 0.3, 0.3) - 0.3
    dark = np.clip(smooth_noise(random, grid, 0.06, 0.12) - 0.5, 0, 1)
    long = lines(0.035, 0.6, 0.25)
    cloud = 2.0 * smooth_noise(random, grid, 0.15, 0.25) + 1.5 * smooth_noise(random, grid, 0.03, 0.05)
    echo = bent(septa) * anatomy.streaks * in_fat
    echo += (bent(ducts) * anatomy.streaks - bent(dark) * anatomy.lobules) * in_gland
    echo += bent(long) * anatomy.streaks * ((depth >= gland) & (depth < muscle))
    return echo + bent(cloud)


def _ligament_shadow(depth, across, fat, random) -> np.ndarray:
    """Draw the attenuation of one Cooper ligament, an oblique sheet in the fat that casts a shadow."""
    foot, slant = random.uniform(-0.5, 0.5), random.normal(0, 0.8)
    width, strength = random.uniform(0.02, 0.08), random.uniform(30, 130)
    sheet = np.exp(-np.square((across - foot - slant * depth) / width))
    return strength * sheet * ((depth > 0.5 * fat) & (depth < fat))


def b_mode(tissue: Tissue, scanner: Scanner, random: np.random.Generator) -> np.ndarray:
    """Simulate the B-mode image of the tissue.

    Args:
        tissue: Maps of echo and attenuation.
        scanner: Settings of the scanner.
        random: Random generator of the speckle.

    Returns:
        uint8 array of shape (grid, grid).
    """
    grid = len(tissue.echo)
    depth = np.linspace(0, 1, grid, dtype=np.float32)[:, None]
    loss = np.cumsum(tissue.attenuation, axis=0, dtype=np.float32) / grid
    loss = cv2.GaussianBlur(loss, (0, 0), 0.014 * grid, sigmaY=0.004 * grid)  # the beam is wider than one column
    compensation = (
        np.median(loss, axis=1, keepdims=True) + scanner.slope * depth + 4 * scanner.bend * depth * (1 - depth)
    )
    amplitude = np.exp((tissue.echo - loss) * np.float32(np.log(10) / 20))
    power = np.zeros_like(amplitude)
    for _ in range(scanner.looks):
        for _ in range(2):  # real and imaginary part
            scatterers = amplitude * random.standard_normal((grid, grid), np.float32)
            pulse = cv2.GaussianBlur(scatterers, (0, 0), scanner.lateral * grid, sigmaY=scanner.axial * grid)
            power += np.square(pulse)
    # the blur divides the variance of white noise by 4 pi sigma_x sigma_y
    power *= 4 * np.pi * scanner.lateral * scanner.axial * grid**2 / (2 * scanner.looks)
    power += 10 ** (_NOISE_FLOOR / 10)
    decibel = 10 * np.log10(power) + compensation + scanner.gain
    return np.clip(255 * (1 + decibel / scanner.dynamic_range), 0, 255).astype(np.uint8)
