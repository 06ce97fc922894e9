"""Test-time views: variants of an image whose logits are averaged into one prediction (test-time augmentation).

The first view is the image itself. A view does not depend on the image, its position or the other images, so a case has
the same prediction in every run, command and process. Logits are averaged, not probabilities: the mean is again a
logit vector, as of one model, which files store, folds average and calibration scales; and no confident view outweighs
the others by saturation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from keras_radtl.config import AugmentConfig, to_dict
from keras_radtl.config.prediction import augmented_views
from keras_radtl.data.augment import augment_image, sample_parameters

_EPOCH = 2**32  # of the random numbers: no epoch of a training


@dataclass(frozen=True)
class View:
    """A variant of images.

    Attributes:
        name: What the view depends on, for keys of stored activations; "" for the images themselves.
        change: Function from uint8 images of shape (n, height, width, channels) to images of the same shape.
    """

    name: str
    change: Callable[[np.ndarray], np.ndarray] = field(compare=False)


UNCHANGED = View("", lambda images: images)


def make_views(tta: str, augment: AugmentConfig, seed: int) -> tuple[View, ...]:
    """Return the views of a run, first the unchanged image.

    Args:
        tta: `none`; `flips`: mirrored left to right, and, if the augmentation has vertical flips, top to bottom and
            both; `rotations`: the four quarter turns; `views:K`: K transforms of the augmentation, the same for all
            images, of which the first ones do not depend on K.
        augment: The augmentation of the run.
        seed: The seed of the run.
    """
    if tta == "flips":
        vertical = [_flipped("vertical", 1), _flipped("both", (1, 2))] if augment.vertical_flip else []
        return (UNCHANGED, _flipped("horizontal", 2), *vertical)
    if tta == "rotations":
        return (UNCHANGED, *(_turned(turns) for turns in (1, 2, 3)))
    return (UNCHANGED, *(_augmented(augment, seed, number) for number in range(augmented_views(tta))))


def mean_of_views(logits: Callable[[View], np.ndarray], views: Sequence[View]) -> np.ndarray:
    """Return the logits of cases, averaged over the views of each.

    Args:
        logits: Function from a view to the logits of all cases, float32 of shape (n_cases, n_classes).
        views: From `make_views`.
    Returns:
        float32 array of shape (n_cases, n_classes); of one view its logits, bit for bit.
    """
    each = [logits(view) for view in views]
    return each[0] if len(each) == 1 else np.mean(each, axis=0, dtype=np.float64).astype(np.float32)


def _flipped(name: str, axes: int | tuple[int, ...]) -> View:
    return View(f"flip:{name}", lambda images: np.flip(images, axes))


def _turned(turns: int) -> View:
    return View(f"turns:{turns}", lambda images: np.rot90(images, turns, axes=(1, 2)))


def _augmented(augment: AugmentConfig, seed: int, number: int) -> View:
    def change(images: np.ndarray) -> np.ndarray:
        parameters = sample_parameters(augment, seed, _EPOCH, [number], images.shape[1:3]).select(0)
        return np.stack([augment_image(np.ascontiguousarray(image), parameters) for image in images])

    return View(f"augmented:{number}, seed {seed}, {sorted(to_dict(augment).items())}", change)
