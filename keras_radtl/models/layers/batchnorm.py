"""Batch normalisation of backbones, with the choice of statistics apart from what trains."""

from __future__ import annotations

import keras
from keras import ops

STATISTICS = ("inference", "adapt")


@keras.saving.register_keras_serializable(package="keras_radtl")
class BackboneBatchNormalization(keras.layers.BatchNormalization):
    """BatchNormalization whose statistics do not depend on `trainable`.

    Keras lets `trainable` decide both whether scale and offset train and whether batch statistics are used. Here
    `trainable` decides the first alone, and `statistics` the second:

    - `inference`: the moving statistics are used at all times, in training too, and never move.
    - `adapt`: training uses the statistics of the batch and moves the moving ones, frozen or not, as torch does for a
      network in training mode whose parameters are frozen.

    Prediction uses the moving statistics in both cases.

    Args:
        statistics: str, `inference` or `adapt`.
        **kwargs: those of `keras.layers.BatchNormalization`.

    Reference:
        Ioffe and Szegedy 2015, arXiv 1502.03167, algorithms 1 and 2.
    """

    def __init__(self, statistics: str = "inference", **kwargs):
        super().__init__(**kwargs)
        if statistics not in STATISTICS:
            raise ValueError(
                f"`statistics` must be one of {', '.join(STATISTICS)}. Received: statistics={statistics!r}"
            )
        self.statistics = statistics

    def call(self, inputs, training=None, mask=None):
        if not training or self.statistics == "inference":
            return super().call(inputs, training=False, mask=mask)
        pixels = ops.cast(inputs, "float32")  # squares overflow float16
        axes = [axis for axis in range(len(inputs.shape)) if axis != self.axis % len(inputs.shape)]
        mean, variance = ops.moments(pixels, axes=axes)
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + batch * (1.0 - self.momentum))
        outputs = ops.batch_normalization(
            pixels, mean, variance, axis=self.axis, offset=self.beta, scale=self.gamma, epsilon=self.epsilon
        )
        return ops.cast(outputs, self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "statistics": self.statistics}
