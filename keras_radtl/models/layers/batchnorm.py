"""Batch normalization whose statistics are independent of `trainable`."""

from __future__ import annotations

import keras
from keras import ops

STATISTICS = ("inference", "adapt")


@keras.saving.register_keras_serializable(package="keras_radtl")
class BackboneBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalization whose statistics are independent of `trainable`.

    In Keras, `trainable` determines whether the scale and offset are updated and also whether batch statistics are
    used. Here it determines only the former; `statistics` determines the latter:

    - `inference`: training uses the moving statistics and does not update them.
    - `adapt`: training uses batch statistics and updates the moving statistics, even if the layer is frozen. PyTorch
      does this for a network in training mode with frozen parameters.

    In both cases, prediction uses the moving statistics.

    Args:
        statistics: "inference" or "adapt".
        **kwargs: Arguments of `keras.layers.BatchNormalization`.

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
        pixels = ops.cast(inputs, "float32")  # squares would overflow in float16
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
