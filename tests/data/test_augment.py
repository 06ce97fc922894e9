"""Augmentation: positions of landmarks, ranges over many samples, and independence of batch and order."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from keras_radtl.config import AugmentConfig
from keras_radtl.data.augment import Parameters, augment_image, epoch_order, inverse_map, sample_parameters

DISABLED = AugmentConfig(rotation=0, shift=0, shear=0, zoom=0, horizontal_flip=False)
ENABLED = AugmentConfig(vertical_flip=True, brightness=0.2, contrast=0.2, blur=1.5)


def spot(x: float, y: float, size=(96, 80)) -> np.ndarray:
    """Return a dark image of shape (height, width) with a blurred bright spot at (x, y)."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    return np.rint(250 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 3.0**2))).astype(np.uint8)


def centroid(image: np.ndarray) -> tuple[float, float]:
    mass = image.astype(float)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    return (columns * mass).sum() / mass.sum(), (rows * mass).sum() / mass.sum()


def transform_point(x, y, centre, angle, shift, shear, zoom, flips):
    """Apply the transforms to a point one after the other."""
    x, y = flips[0] * (x - centre[0]), flips[1] * (y - centre[1])
    x = x + shear * y
    x, y = zoom * x, zoom * y
    x, y = math.cos(angle) * x - math.sin(angle) * y, math.sin(angle) * x + math.cos(angle) * y
    return centre[0] + shift[0] + x, centre[1] + shift[1] + y


@pytest.mark.parametrize("start", [(30, 40), (45, 60), (50, 35)])
@pytest.mark.parametrize("flips", [(1.0, 1.0), (-1.0, 1.0), (-1.0, -1.0)])
def test_composed_map_equals_the_transforms_in_sequence(start, flips):
    centre, angle, shift, shear, zoom = (39.5, 47.5), math.radians(20), (4.0, -6.0), 0.15, 1.1
    arguments = [np.array([v]) for v in (angle, shift, shear, zoom, flips)]
    matrix = inverse_map(*arguments, np.array(centre))[0]
    moved = augment_image(spot(*start), Parameters(matrix, 0.0, 1.0, 0.0))
    assert centroid(moved) == pytest.approx(transform_point(*start, centre, angle, shift, shear, zoom, flips), abs=0.1)


def test_right_angle_rotation_and_flip_move_pixels_exactly():
    image = np.random.default_rng(0).integers(0, 256, (32, 32), np.uint8)
    centre, one, zero = np.array([15.5, 15.5]), np.ones(1), np.zeros(1)
    turned = inverse_map(one * math.pi / 2, np.zeros((1, 2)), zero, one, np.ones((1, 2)), centre)[0]
    mirrored = inverse_map(zero, np.zeros((1, 2)), zero, one, np.array([[-1.0, 1.0]]), centre)[0]
    np.testing.assert_array_equal(augment_image(image, Parameters(turned, 0.0, 1.0, 0.0)), np.rot90(image, -1))
    np.testing.assert_array_equal(augment_image(image, Parameters(mirrored, 0.0, 1.0, 0.0)), image[:, ::-1])


@pytest.mark.parametrize("shape", [(24, 32), (24, 32, 1), (24, 32, 3)])
def test_disabled_augmentation_returns_a_copy(shape):
    image = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    parameters = sample_parameters(DISABLED, 0, 0, [5], shape[:2]).select(0)
    augmented = augment_image(image, parameters)
    np.testing.assert_array_equal(augmented, image)
    assert augmented is not image and not np.shares_memory(augmented, image)


@pytest.mark.parametrize("shape", [(24, 32), (24, 32, 1), (24, 32, 3)])
def test_augmentation_keeps_shape_and_dtype_and_does_not_modify_its_input(shape):
    image = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    image.flags.writeable = False
    augmented = augment_image(image, sample_parameters(ENABLED, 3, 1, [0], shape[:2]).select(0))
    assert augmented.shape == shape and augmented.dtype == np.uint8
    assert not np.array_equal(augmented, image)


def test_three_equal_channels_are_augmented_like_one():
    grey = np.random.default_rng(2).integers(0, 256, (40, 40, 1), np.uint8)
    parameters = sample_parameters(ENABLED, 3, 1, [7], 40).select(0)
    augmented = augment_image(np.repeat(grey, 3, axis=2), parameters)
    np.testing.assert_array_equal(augmented, np.repeat(augment_image(grey, parameters), 3, axis=2))


def test_border_is_replicated():
    image = np.full((32, 32), 77, np.uint8)
    for row in range(20):
        assert (
            augment_image(image, sample_parameters(AugmentConfig(shift=0.5), 0, 0, range(20), 32).select(row)) == 77
        ).all()


def test_flips_are_independent_and_have_probability_one_half():
    matrices = sample_parameters(ENABLED, 0, 0, range(2000), 32).matrix
    config = AugmentConfig(rotation=0, shift=0, shear=0, zoom=0, horizontal_flip=True, vertical_flip=True)
    signs = sample_parameters(config, 0, 0, range(2000), 32).matrix[:, [0, 1], [0, 1]]
    assert (signs[:, 0] < 0).mean() == pytest.approx(0.5, abs=0.05)
    assert (signs[:, 1] < 0).mean() == pytest.approx(0.5, abs=0.05)
    assert (signs.prod(axis=1) < 0).mean() == pytest.approx(0.5, abs=0.05)
    np.testing.assert_array_equal(np.linalg.det(matrices[:, :, :2]) < 0, signs.prod(axis=1) < 0)


def test_samples_cover_their_ranges():
    size, n = (100, 200), 3000
    disabled = {"rotation": 0.0, "shift": 0.0, "shear": 0.0, "zoom": 0.0, "horizontal_flip": False}

    def sampled(**ranges):
        return sample_parameters(AugmentConfig(**(disabled | ranges)), 1, 0, range(n), size)

    angle = np.rad2deg(np.arctan2(*sampled(rotation=10.0).matrix[:, 0, 1::-1].T))
    zoom = 1 / sampled(zoom=0.1).matrix[:, 0, 0]
    shear = -sampled(shear=0.1).matrix[:, 0, 1]
    shift = -sampled(shift=0.1).matrix[:, :, 2] / (200, 100)
    tone = sampled(brightness=0.2, contrast=0.3, blur=2.0)
    for values, low, high in [
        (angle, -10, 10), (zoom, 0.9, 1.1), (shear, -0.1, 0.1), (shift[:, 0], -0.1, 0.1), (shift[:, 1], -0.1, 0.1),
        (tone.brightness, -51, 51), (tone.contrast, 0.7, 1.3), (tone.blur, 0, 2),
    ]:  # fmt: skip
        width = high - low
        assert low - 1e-9 <= values.min() < low + 0.01 * width and high - 0.01 * width < values.max() <= high + 1e-9
        assert values.mean() == pytest.approx((low + high) / 2, abs=0.03 * width)


def test_disabling_one_transform_does_not_alter_the_others():
    full = sample_parameters(ENABLED, 0, 0, range(50), 64)
    partial = sample_parameters(AugmentConfig(blur=1.5, rotation=0), 0, 0, range(50), 64)
    np.testing.assert_array_equal(full.blur, partial.blur)
    assert not np.allclose(full.matrix, partial.matrix)


def test_augmented_image_does_not_depend_on_the_batch():
    image = np.random.default_rng(3).integers(0, 256, (48, 48), np.uint8)
    alone = sample_parameters(ENABLED, 5, 2, [17], 48).select(0)
    for batch, row in (([17, 3], 0), ([90, 4, 17], 2), (list(range(40)), 17)):
        np.testing.assert_array_equal(
            augment_image(image, sample_parameters(ENABLED, 5, 2, batch, 48).select(row)), augment_image(image, alone)
        )


def test_augmented_image_depends_on_seed_epoch_and_index():
    matrices = [
        sample_parameters(ENABLED, s, e, [i], 48).matrix for s, e, i in [(5, 2, 17), (6, 2, 17), (5, 3, 17), (5, 2, 18)]
    ]
    assert len({m.tobytes() for m in matrices}) == 4


def test_contrast_and_brightness_follow_the_formula():
    image = np.array([[0, 50], [100, 250]], np.uint8)  # mean 100
    parameters = Parameters(np.eye(2, 3), 10.0, 0.5, 0.0)
    np.testing.assert_array_equal(augment_image(image, parameters), [[60, 85], [110, 185]])
    brighter = augment_image(image, Parameters(np.eye(2, 3), 100.0, 1.0, 0.0))
    np.testing.assert_array_equal(brighter, [[100, 150], [200, 255]])


def test_blur_is_gaussian_with_the_given_standard_deviation():
    augmented = augment_image(spot(40, 48), Parameters(np.eye(2, 3), 0.0, 1.0, 4.0)).astype(float)
    assert centroid(augmented) == pytest.approx((40, 48), abs=0.05)
    assert augmented.max() == pytest.approx(250 * 9 / (9 + 16), abs=2)  # variances of Gaussians add


def test_epoch_order_is_a_permutation_that_depends_on_epoch_and_seed():
    indices = np.arange(100, 200)
    orders = [epoch_order(indices, s, e) for s, e in [(0, 0), (0, 1), (1, 0)]]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), indices)
    assert len({order.tobytes() for order in orders}) == 3
    np.testing.assert_array_equal(orders[1], epoch_order(indices, 0, 1))


def test_epoch_order_is_uniform():
    first = np.array([epoch_order(range(4), 0, epoch)[0] for epoch in range(2000)])
    np.testing.assert_allclose(np.bincount(first) / 2000, 0.25, atol=0.04)


def test_number_of_opencv_threads_does_not_matter():
    image, parameters = (
        np.random.default_rng(4).integers(0, 256, (300, 300), np.uint8),
        sample_parameters(ENABLED, 0, 0, [0], 300),
    )
    before, results = cv2.getNumThreads(), []
    try:
        for threads in (1, 2):
            cv2.setNumThreads(threads)
            results.append(augment_image(image, parameters.select(0)))
    finally:
        cv2.setNumThreads(before)
    np.testing.assert_array_equal(*results)
