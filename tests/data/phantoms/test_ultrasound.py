"""Simulated ultrasound: speckle statistics, pulse, attenuation and dynamic range."""

from __future__ import annotations

import numpy as np
import pytest

from keras_radtl.data.phantoms.ultrasound import (
    Scanner,
    Tissue,
    b_mode,
    breast,
    draw_anatomy,
    draw_scanner,
    ridges,
    smooth_line,
    smooth_noise,
)

GRID = 256
SCANNER = Scanner(dynamic_range=60.0, gain=0.0, slope=0.0, bend=0.0, lateral=0.006, axial=0.002, looks=1)


def uniform(echo=-25.0, attenuation=0.0) -> Tissue:
    return Tissue(*(np.full((GRID, GRID), value, np.float32) for value in (echo, attenuation)))


def decibel(image: np.ndarray, scanner=SCANNER) -> np.ndarray:
    return (image / 255 - 1) * scanner.dynamic_range


def test_speckle_of_uniform_tissue_is_rayleigh_distributed():
    amplitude = 10 ** (decibel(b_mode(uniform(), SCANNER, np.random.default_rng(0))) / 20)
    assert amplitude.mean() / amplitude.std() == pytest.approx(1.91, abs=0.05)  # of any Rayleigh distribution
    share = (amplitude < np.median(amplitude) / 2).mean()
    assert share == pytest.approx(1 - 0.5**0.25, abs=0.01)  # its distribution function is 1 - 0.5^((a / median)^2)
    assert 10 * np.log10((amplitude**2).mean()) == pytest.approx(-25, abs=0.5)


def test_compounding_reduces_speckle():
    spread = [decibel(b_mode(uniform(), SCANNER._replace(looks=n), np.random.default_rng(0))).std() for n in (1, 4)]
    assert spread[0] == pytest.approx(5.57, abs=0.1)  # standard deviation of Rayleigh speckle in decibels
    assert spread[1] < 0.6 * spread[0]


def test_speckle_is_finer_along_the_depth_than_laterally():
    image = decibel(b_mode(uniform(), SCANNER, np.random.default_rng(0)))
    image = image - image.mean()
    along_depth, across = (image[:-1] * image[1:]).mean(), (image[:, :-1] * image[:, 1:]).mean()
    assert across > 1.5 * along_depth


def test_attenuation_causes_shadow_and_enhancement():
    tissue = uniform(-15.0, attenuation=20.0)
    tissue.attenuation[80:120, 40:80] = 100.0
    tissue.attenuation[80:120, 170:210] = 0.0
    image = decibel(b_mode(tissue, SCANNER, np.random.default_rng(0)))
    below = image[140:, :].mean(axis=0)
    thickness = 40 / GRID
    assert below[50:70].mean() - below[110:140].mean() == pytest.approx(-80 * thickness, abs=1)
    assert below[180:200].mean() - below[110:140].mean() == pytest.approx(20 * thickness, abs=1)
    assert image[:70, 50:70].mean() == pytest.approx(image[:70, 110:140].mean(), abs=0.5)


def test_compensation_removes_the_median_attenuation_up_to_its_slope():
    flat = decibel(b_mode(uniform(attenuation=30.0), SCANNER, np.random.default_rng(0)))
    assert flat[-50:].mean() == pytest.approx(flat[:50].mean(), abs=0.5)
    tilted = decibel(b_mode(uniform(), SCANNER._replace(slope=-15.0), np.random.default_rng(0)))
    assert tilted[-20:].mean() - tilted[:20].mean() == pytest.approx(-15 * (GRID - 20) / GRID, abs=0.7)


@pytest.mark.parametrize(("echo", "grey"), [(40.0, 255), (-200.0, 0)])
def test_grey_levels_are_clipped_to_black_and_white(echo, grey):
    assert np.median(b_mode(uniform(echo), SCANNER, np.random.default_rng(0))) == grey


def test_gain_shifts_the_grey_levels():
    image = b_mode(uniform(), SCANNER, np.random.default_rng(0)).astype(int)
    louder = b_mode(uniform(), SCANNER._replace(gain=6.0), np.random.default_rng(0)).astype(int)
    assert np.median(louder - image) == pytest.approx(6 / 60 * 255, abs=1)


def test_layers_differ_in_brightness_by_depth():
    random = np.random.default_rng(1)
    anatomy = draw_anatomy(random)._replace(
        fat=0.2, gland=0.6, muscle=0.8, density=1.0, tilt=0.0, wave=0.0, lobules=0.0
    )
    echo = np.mean([breast(anatomy, 64, random).echo for _ in range(8)], axis=0)
    fat, gland, deep = echo[4:11].mean(), echo[16:36].mean(), echo[56:].mean()
    assert gland > fat + 5 and fat > deep + 2


def test_image_depends_on_the_generator():
    def scan(seed):
        random = np.random.default_rng(seed)
        anatomy, scanner = draw_anatomy(random), draw_scanner(random)
        return b_mode(breast(anatomy, 96, random), scanner, random)

    assert scan(3).dtype == np.uint8 and scan(3).shape == (96, 96)
    np.testing.assert_array_equal(scan(3), scan(3))
    assert not np.array_equal(scan(3), scan(4))


@pytest.mark.parametrize(("height", "width"), [(0.03, 0.2), (0.2, 0.03), (1.0, 0.1)])
def test_smooth_noise_has_unit_variance_and_the_given_anisotropy(height, width):
    noise = np.stack([smooth_noise(np.random.default_rng(seed), 128, height, width) for seed in range(60)])
    assert noise.shape[1:] == (128, 128) and noise.dtype == np.float32
    assert noise.mean() == pytest.approx(0, abs=0.15)
    assert noise.std() == pytest.approx(1, abs=0.15)
    if height != width:  # it varies faster along the shorter length
        down, across = np.abs(np.diff(noise, axis=1)).mean(), np.abs(np.diff(noise, axis=2)).mean()
        assert (down > across) == (height < width)


def test_smooth_line_is_one_row_with_unit_variance():
    lines = np.concatenate([smooth_line(np.random.default_rng(seed), 100, 0.1) for seed in range(200)])
    assert lines.shape == (200, 100)
    assert lines.std() == pytest.approx(1, abs=0.15)


def test_ridges_are_one_where_the_noise_is_zero():
    np.testing.assert_allclose(ridges(np.array([0.0, 0.5, 5.0]), 0.5), [1, np.exp(-1), 0], atol=1e-12)
