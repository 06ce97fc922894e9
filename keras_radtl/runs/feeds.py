"""Where a phase gets its batches: from pixels through the whole model, or from stored activations through its upper part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_radtl.config import Config
from keras_radtl.data.pipeline import training_batches
from keras_radtl.runs.predict import make_predictor


@dataclass
class PixelFeed:
    """Augmented pixels through the whole classifier.

    Attributes:
        model: what trains.
        pixels: uint8 (cases, height, width, channels).
        targets: of all cases.
        weights: float32 (cases,) sample weights, or None.
        train, val: int indices.
    """

    model: object
    config: Config
    pixels: np.ndarray
    targets: np.ndarray
    weights: np.ndarray | None
    train: np.ndarray
    val: np.ndarray

    def __post_init__(self):
        self._predict = make_predictor(self.model)

    def training(self, first_epoch: int, last_epoch: int):
        """Return one `tf.data.Dataset` over the epochs [first_epoch, last_epoch)."""
        config = self.config
        return training_batches(
            self.pixels, self.targets, self.train, config.training.batch_size, config.seed, config.augment,
            first_epoch, last_epoch, self.weights,
        )

    def validation(self) -> np.ndarray:
        """Return the logits of the validation cases, float32 (cases, classes)."""
        return self._predict(self.pixels, self.val, self.config.training.batch_size)
