"""Picture changes: known landmarks, rates over many draws, and independence of batch and order."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from keras_radtl.config import AugmentConfig
from keras_radtl.data.augment import Parameters, apply, draw, epoch_order, inverse_map

NOTHING = AugmentConfig(rotation=0, shift=0, shear=0, zoom=0, horizontal_flip=False)
EVERYTHING = AugmentConfig(vertical_flip=True, brightness=0.2, contrast=0.2, blur=1.5)


def spot(x: float, y: float, size=(96, 80)) -> np.ndarray:
    """Return a dark image (height, width) with one soft bright spot at (x, y)."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    return np.rint(250 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 3.0**2))).astype(np.uint8)


def centroid(image: np.ndarray) -> tuple[float, float]:
    mass = image.astype(float)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    return (columns * mass).sum() / mass.sum(), (rows * mass).sum() / mass.sum()


def moved_by_hand(x, y, centre, angle, shift, shear, zoom, flips):
    """Follow one point through the changes, one after the other, in plain arithmetic."""
    x, y = flips[0] * (x - centre[0]), flips[1] * (y - centre[1])
    x = x + shear * y
    x, y = zoom * x, zoom * y
    x, y = math.cos(angle) * x - math.sin(angle) * y, math.sin(angle) * x + math.cos(angle) * y
    return centre[0] + shift[0] + x, centre[1] + shift[1] + y


@pytest.mark.parametrize("start", [(30, 40), (45, 60), (50, 35)])
@pytest.mark.parametrize("flips", [(1.0, 1.0), (-1.0, 1.0), (-1.0, -1.0)])
def test_composed_map_moves_landmarks_as_one_change_after_the_other_does(start, flips):
    centre, angle, shift, shear, zoom = (39.5, 47.5), math.radians(20), (4.0, -6.0), 0.15, 1.1
    arguments = [np.array([v]) for v in (angle, shift, shear, zoom, flips)]
    matrix = inverse_map(*arguments, np.array(centre))[0]
    moved = apply(spot(*start), Parameters(matrix, 0.0, 1.0, 0.0))
    assert centroid(moved) == pytest.approx(moved_by_hand(*start, centre, angle, shift, shear, zoom, flips), abs=0.1)


def test_map_of_right_angle_and_flip_are_exact_pixel_moves():
    image = np.random.default_rng(0).integers(0, 256, (32, 32), np.uint8)
    centre, one, zero = np.array([15.5, 15.5]), np.ones(1), np.zeros(1)
    turned = inverse_map(one * math.pi / 2, np.zeros((1, 2)), zero, one, np.ones((1, 2)), centre)[0]
    mirrored = inverse_map(zero, np.zeros((1, 2)), zero, one, np.array([[-1.0, 1.0]]), centre)[0]
    np.testing.assert_array_equal(apply(image, Parameters(turned, 0.0, 1.0, 0.0)), np.rot90(image, -1))
    np.testing.assert_array_equal(apply(image, Parameters(mirrored, 0.0, 1.0, 0.0)), image[:, ::-1])


@pytest.mark.parametrize("shape", [(24, 32), (24, 32, 1), (24, 32, 3)])
def test_nothing_switched_on_returns_the_same_pixels(shape):
    image = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    parameters = draw(NOTHING, 0, 0, [5], shape[:2]).image(0)
    changed = apply(image, parameters)
    np.testing.assert_array_equal(changed, image)
    assert changed is not image and not np.shares_memory(changed, image)


@pytest.mark.parametrize("shape", [(24, 32), (24, 32, 1), (24, 32, 3)])
def test_everything_switched_on_keeps_shape_and_type_and_the_input(shape):
    image = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    image.flags.writeable = False
    changed = apply(image, draw(EVERYTHING, 3, 1, [0], shape[:2]).image(0))
    assert changed.shape == shape and changed.dtype == np.uint8
    assert not np.array_equal(changed, image)


def test_three_equal_channels_change_as_one_does():
    grey = np.random.default_rng(2).integers(0, 256, (40, 40, 1), np.uint8)
    parameters = draw(EVERYTHING, 3, 1, [7], 40).image(0)
    changed = apply(np.repeat(grey, 3, axis=2), parameters)
    np.testing.assert_array_equal(changed, np.repeat(apply(grey, parameters), 3, axis=2))


def test_border_is_replicated():
    image = np.full((32, 32), 77, np.uint8)
    for row in range(20):
        assert (apply(image, draw(AugmentConfig(shift=0.5), 0, 0, range(20), 32).image(row)) == 77).all()


def test_both_flips_happen_half_of_the_time_and_apart_from_each_other():
    matrices = draw(EVERYTHING, 0, 0, range(2000), 32).matrix
    config = AugmentConfig(rotation=0, shift=0, shear=0, zoom=0, horizontal_flip=True, vertical_flip=True)
    signs = draw(config, 0, 0, range(2000), 32).matrix[:, [0, 1], [0, 1]]
    assert (signs[:, 0] < 0).mean() == pytest.approx(0.5, abs=0.05)
    assert (signs[:, 1] < 0).mean() == pytest.approx(0.5, abs=0.05)
    assert (signs.prod(axis=1) < 0).mean() == pytest.approx(0.5, abs=0.05)
    np.testing.assert_array_equal(np.linalg.det(matrices[:, :, :2]) < 0, signs.prod(axis=1) < 0)


def test_ranges_are_kept_and_filled():
    size, n = (100, 200), 3000
    off = {"rotation": 0.0, "shift": 0.0, "shear": 0.0, "zoom": 0.0, "horizontal_flip": False}

    def drawn(**change):
        return draw(AugmentConfig(**(off | change)), 1, 0, range(n), size)

    angle = np.rad2deg(np.arctan2(*drawn(rotation=10.0).matrix[:, 0, 1::-1].T))
    zoom = 1 / drawn(zoom=0.1).matrix[:, 0, 0]
    shear = -drawn(shear=0.1).matrix[:, 0, 1]
    shift = -drawn(shift=0.1).matrix[:, :, 2] / (200, 100)
    tone = drawn(brightness=0.2, contrast=0.3, blur=2.0)
    for values, low, high in [
        (angle, -10, 10), (zoom, 0.9, 1.1), (shear, -0.1, 0.1), (shift[:, 0], -0.1, 0.1), (shift[:, 1], -0.1, 0.1),
        (tone.brightness, -51, 51), (tone.contrast, 0.7, 1.3), (tone.blur, 0, 2),
    ]:  # fmt: skip
        width = high - low
        assert low - 1e-9 <= values.min() < low + 0.01 * width and high - 0.01 * width < values.max() <= high + 1e-9
        assert values.mean() == pytest.approx((low + high) / 2, abs=0.03 * width)


def test_switching_one_change_off_leaves_the_others():
    full, still = draw(EVERYTHING, 0, 0, range(50), 64), draw(AugmentConfig(blur=1.5, rotation=0), 0, 0, range(50), 64)
    np.testing.assert_array_equal(full.blur, still.blur)
    assert not np.allclose(full.matrix, still.matrix)


def test_same_seed_epoch_and_index_give_the_same_picture_whatever_the_batch():
    image = np.random.default_rng(3).integers(0, 256, (48, 48), np.uint8)
    alone = draw(EVERYTHING, 5, 2, [17], 48).image(0)
    for batch, row in (([17, 3], 0), ([90, 4, 17], 2), (list(range(40)), 17)):
        np.testing.assert_array_equal(apply(image, draw(EVERYTHING, 5, 2, batch, 48).image(row)), apply(image, alone))


def test_other_seed_epoch_or_index_gives_another_picture():
    matrices = [draw(EVERYTHING, s, e, [i], 48).matrix for s, e, i in [(5, 2, 17), (6, 2, 17), (5, 3, 17), (5, 2, 18)]]
    assert len({m.tobytes() for m in matrices}) == 4


def test_contrast_and_brightness_follow_the_formula():
    image = np.array([[0, 50], [100, 250]], np.uint8)  # mean 100
    parameters = Parameters(np.eye(2, 3), 10.0, 0.5, 0.0)
    np.testing.assert_array_equal(apply(image, parameters), [[60, 85], [110, 185]])
    brighter = apply(image, Parameters(np.eye(2, 3), 100.0, 1.0, 0.0))
    np.testing.assert_array_equal(brighter, [[100, 150], [200, 255]])


def test_blur_is_the_gaussian_of_its_standard_deviation():
    changed = apply(spot(40, 48), Parameters(np.eye(2, 3), 0.0, 1.0, 4.0)).astype(float)
    assert centroid(changed) == pytest.approx((40, 48), abs=0.05)
    assert changed.max() == pytest.approx(250 * 9 / (9 + 16), abs=2)  # variances of Gaussians add


def test_epoch_order_is_a_permutation_that_changes_with_epoch_and_seed():
    indices = np.arange(100, 200)
    orders = [epoch_order(indices, s, e) for s, e in [(0, 0), (0, 1), (1, 0)]]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), indices)
    assert len({order.tobytes() for order in orders}) == 3
    np.testing.assert_array_equal(orders[1], epoch_order(indices, 0, 1))


def test_epoch_order_puts_each_place_everywhere():
    first = np.array([epoch_order(range(4), 0, epoch)[0] for epoch in range(2000)])
    np.testing.assert_allclose(np.bincount(first) / 2000, 0.25, atol=0.04)


def test_threads_of_opencv_do_not_change_the_picture():
    image, parameters = (
        np.random.default_rng(4).integers(0, 256, (300, 300), np.uint8),
        draw(EVERYTHING, 0, 0, [0], 300),
    )
    before, results = cv2.getNumThreads(), []
    try:
        for threads in (1, 2):
            cv2.setNumThreads(threads)
            results.append(apply(image, parameters.image(0)))
    finally:
        cv2.setNumThreads(before)
    np.testing.assert_array_equal(*results)
