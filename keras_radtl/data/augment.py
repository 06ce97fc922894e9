"""Random picture changes of training, drawn statelessly and applied as one composed affine map.

Every number depends on (seed, epoch, index of the image) alone: not on the batch, the worker or the order of calls. So
a resumed run sees the pictures of an uninterrupted one, and epoch e of image i is the same picture in every experiment
that shares the seed and the ranges.

Points are (x, y) in pixels, the centre of the first pixel is (0, 0). A point p of the image goes to

    centre + shift + rotation @ zoom @ shear @ flip @ (p - centre)

One interpolation, not one per change: the picture stays sharp and the border is replicated once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from keras_radtl.config import AugmentConfig

_DRAWS = 10  # uniform numbers per image, always: switching one change off leaves the others as they were
_AUGMENT_STREAM, _ORDER_STREAM = 1, 2  # last word of the Philox counter: independent streams of one seed
_UNCHANGED = np.eye(2, 3)


class Parameters(NamedTuple):
    """The changes of one image, or of n images when every field has a leading axis of length n.

    Attributes:
        matrix: float64 (2, 3), maps output pixels to image pixels (the inverse of the map above).
        brightness: grey levels added, float.
        contrast: factor about the mean grey, float.
        blur: standard deviation of the Gaussian blur in pixels, float; 0 is none.
    """

    matrix: np.ndarray
    brightness: np.ndarray
    contrast: np.ndarray
    blur: np.ndarray

    def image(self, row: int) -> Parameters:
        """Return the parameters of the image in one row."""
        return Parameters(*(values[row] for values in self))


def draw(
    config: AugmentConfig, seed: int, epoch: int, indices: Sequence[int], size: int | tuple[int, int]
) -> Parameters:
    """Draw the changes of some images in one epoch.

    Args:
        config: ranges; 0 or false switches a change off and leaves the draws of the others as they were.
        seed: seed of the run, in [0, 2^64).
        epoch: epoch, counted from 0.
        indices: n image indices, each >= 0.
        size: (height, width) in pixels, or one number for a square.
    Returns:
        Parameters with a leading axis of length n.
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


def apply(image: np.ndarray, parameters: Parameters) -> np.ndarray:
    """Return one changed image; places outside the image take the nearest border pixel.

    Args:
        image: uint8 (height, width), (height, width, 1) or (height, width, 3).
        parameters: those of one image, drawn for its size.
    Returns:
        A new uint8 array of the same shape.
    """
    height, width = image.shape[:2]
    if np.array_equal(parameters.matrix, _UNCHANGED):
        changed = image.copy()
    else:
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        changed = cv2.warpAffine(
            image, parameters.matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
    if parameters.blur > 0:
        changed = cv2.GaussianBlur(changed, (0, 0), float(parameters.blur), borderType=cv2.BORDER_REPLICATE)
    if parameters.contrast != 1 or parameters.brightness != 0:
        mean = changed.mean()
        curve = (np.arange(256) - mean) * parameters.contrast + mean + parameters.brightness
        changed = cv2.LUT(changed, np.clip(np.rint(curve), 0, 255).astype(np.uint8))
    return changed.reshape(image.shape)  # OpenCV drops a channel axis of length 1


def epoch_order(indices: Sequence[int], seed: int, epoch: int) -> np.ndarray:
    """Return `indices` in the random order of one epoch, a function of (indices, seed, epoch) alone.

    Args:
        indices: n image indices.
        seed: seed of the run, in [0, 2^64).
        epoch: epoch, counted from 0.
    Returns:
        int64 array of shape (n,).
    """
    indices = np.asarray(indices, np.int64)
    keys = np.random.Philox(key=_words(seed, epoch), counter=_words(0, 0, 0, _ORDER_STREAM)).random_raw(len(indices))
    return indices[np.argsort(keys, kind="stable")]


def _words(*values: int) -> np.ndarray:
    return np.array(values, np.uint64)


def _uniform(seed: int, epoch: int, indices: np.ndarray) -> np.ndarray:
    """Draw float64 (n, _DRAWS) in [0, 1): row i is a function of (seed, epoch, indices[i]) alone.

    Reference: Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3 (Philox, a counter-based generator).
    """
    generator = np.random.Philox(key=_words(seed, epoch))
    state = generator.state  # setting the counter is six times faster than a new generator per image
    raw = np.empty((len(indices), _DRAWS), np.uint64)
    for row, index in enumerate(indices):
        state["state"]["counter"] = _words(0, index, 0, _AUGMENT_STREAM)
        generator.state = state
        raw[row] = generator.random_raw(_DRAWS)
    return (raw >> np.uint64(11)) * 2.0**-53


def inverse_map(angle, shift, shear, zoom, flips, centre) -> np.ndarray:
    """Compose the changes of n images into one map each, from output pixels back to image pixels.

    Args:
        angle: float (n,), radians, from the x to the y axis.
        shift: float (n, 2), pixels along x and y.
        shear: float (n,), pixels along x per pixel along y.
        zoom: float (n,), above 1 enlarges.
        flips: float (n, 2), -1 mirrors along x or y, 1 does not.
        centre: float (2,), the point that all but the shift leave in place.
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
