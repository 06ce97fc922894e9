"""Random augmentation of training images: stateless random numbers and a single affine transform.

The random numbers depend only on (seed, epoch, image index), not on the batch, the worker or the order of calls. A
resumed run therefore sees the same augmented images as an uninterrupted one, and all experiments with the same seed
and ranges see the same augmented image i in epoch e.

Points are (x, y) in pixels; the centre of the first pixel is (0, 0). A point p of the image is mapped to

    centre + shift + rotation @ zoom @ shear @ flip @ (p - centre)

The transforms are composed, so each image is interpolated once and stays sharp.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from keras_radtl.config import AugmentConfig

# uniform numbers per image; all are always generated, so that disabling one transform does not alter the others
_DRAWS = 10
_AUGMENT_STREAM, _ORDER_STREAM = 1, 2  # last word of the Philox counter: independent streams
_UNCHANGED = np.eye(2, 3)


class Parameters(NamedTuple):
    """Augmentation parameters of one image, or of n images if every field has a leading axis of length n.

    Attributes:
        matrix: float64 array of shape (2, 3) that maps output pixels to image pixels, the inverse of the map above.
        brightness: Grey levels to add, float.
        contrast: Contrast multiplier about the mean grey level, float.
        blur: Standard deviation of the Gaussian blur in pixels, float; 0 disables the blur.
    """

    matrix: np.ndarray
    brightness: np.ndarray
    contrast: np.ndarray
    blur: np.ndarray

    def select(self, row: int) -> Parameters:
        """Return the parameters of one of n images."""
        return Parameters(*(values[row] for values in self))


def sample_parameters(
    config: AugmentConfig, seed: int, epoch: int, indices: Sequence[int], size: int | tuple[int, int]
) -> Parameters:
    """Sample the augmentation parameters of some images in one epoch.

    Args:
        config: Ranges of the transforms. A range of 0 or False disables one transform and does not alter the others.
        seed: Seed of the run, in [0, 2^64).
        epoch: Epoch, counted from 0.
        indices: Sequence of n image indices, each >= 0.
        size: (height, width) in pixels, or a single number for square images.

    Returns:
        `Parameters` with a leading axis of length n.
    """
    height, width = (size, size) if np.isscalar(size) else size
    uniform = _uniform(seed, epoch, np.asarray(indices))
    signed = 2 * uniform - 1
    angle = np.deg2rad(config.rotation) * signed[:, 0]
    shift = config.shift * signed[:, 1:3] * (width, height)
    shear = config.shear * signed[:, 3]
    zoom = 1 + config.zoom * signed[:, 4]
    flips = np.where((uniform[:, 5:7] < 0.5) & (config.horizontal_flip, config.vertical_flip), -1.0, 1.0)
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    return Parameters(
        matrix=inverse_map(angle, shift, shear, zoom, flips, centre),
        brightness=255 * config.brightness * signed[:, 7],
        contrast=1 + config.contrast * signed[:, 8],
        blur=config.blur * uniform[:, 9],
    )


def augment_image(image: np.ndarray, parameters: Parameters) -> np.ndarray:
    """Augment one image; pixels from outside the image take the value of the nearest border pixel.

    Args:
        image: uint8 array of shape (height, width), (height, width, 1) or (height, width, 3).
        parameters: Parameters of one image, sampled for its size.

    Returns:
        New uint8 array of the same shape.
    """
    height, width = image.shape[:2]
    if np.array_equal(parameters.matrix, _UNCHANGED):
        augmented = image.copy()
    else:
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        augmented = cv2.warpAffine(
            image, parameters.matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
    if parameters.blur > 0:
        augmented = cv2.GaussianBlur(augmented, (0, 0), float(parameters.blur), borderType=cv2.BORDER_REPLICATE)
    if parameters.contrast != 1 or parameters.brightness != 0:
        mean = augmented.mean()
        curve = (np.arange(256) - mean) * parameters.contrast + mean + parameters.brightness
        augmented = cv2.LUT(augmented, np.clip(np.rint(curve), 0, 255).astype(np.uint8))
    return augmented.reshape(image.shape)  # OpenCV drops a channel axis of length 1


def epoch_order(indices: Sequence[int], seed: int, epoch: int) -> np.ndarray:
    """Shuffle `indices` for one epoch; the order depends only on (indices, seed, epoch).

    Args:
        indices: Sequence of n image indices.
        seed: Seed of the run, in [0, 2^64).
        epoch: Epoch, counted from 0.

    Returns:
        int64 array of shape (n,).
    """
    indices = np.asarray(indices, np.int64)
    keys = np.random.Philox(key=_words(seed, epoch), counter=_words(0, 0, 0, _ORDER_STREAM)).random_raw(len(indices))
    return indices[np.argsort(keys, kind="stable")]


def _words(*values: int) -> np.ndarray:
    return np.array(values, np.uint64)


def _uniform(seed: int, epoch: int, indices: np.ndarray) -> np.ndarray:
    """Return float64 numbers of shape (n, _DRAWS) in [0, 1); row i depends only on (seed, epoch, indices[i]).

    Reference:
        Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3 (Philox, a counter-based generator).
    """
    generator = np.random.Philox(key=_words(seed, epoch))
    state = generator.state  # setting the counter is faster than making a generator per image
    raw = np.empty((len(indices), _DRAWS), np.uint64)
    for row, index in enumerate(indices):
        state["state"]["counter"] = _words(0, index, 0, _AUGMENT_STREAM)
        generator.state = state
        raw[row] = generator.random_raw(_DRAWS)
    return (raw >> np.uint64(11)) * 2.0**-53


def inverse_map(angle, shift, shear, zoom, flips, centre) -> np.ndarray:
    """Compose the transforms of each of n images into one affine map from output pixels to image pixels.

    Args:
        angle: float array of shape (n,), rotation from the x axis to the y axis in radians.
        shift: float array of shape (n, 2), pixels along x and y.
        shear: float array of shape (n,), pixels along x per pixel along y.
        zoom: float array of shape (n,); values above 1 enlarge.
        flips: float array of shape (n, 2); -1 mirrors along x or y, 1 does not.
        centre: float array of shape (2,), the fixed point of all transforms but the shift.

    Returns:
        float64 array of shape (n, 2, 3).
    """
    cosine, sine, one, zero = np.cos(angle), np.sin(angle), np.ones_like(angle), np.zeros_like(angle)
    rotation = _stack(cosine, -sine, sine, cosine)
    shearing = _stack(one, shear, zero, one)
    flipping = _stack(flips[:, 0], zero, zero, flips[:, 1])
    inverse = np.linalg.inv(zoom[:, None, None] * (rotation @ shearing @ flipping))
    offset = centre - np.einsum("nij,nj->ni", inverse, centre + shift)
    return np.concatenate([inverse, offset[:, :, None]], axis=2)


def _stack(a, b, c, d) -> np.ndarray:
    return np.stack([a, b, c, d], axis=-1).reshape(-1, 2, 2)
