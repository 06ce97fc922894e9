"""Features from all stages of a backbone: the mean and standard deviation of each channel of each stage's output."""

from __future__ import annotations

import keras
from keras import ops

EPSILON = 1e-6  # keeps the gradient of the standard deviation finite where a channel is constant


@keras.saving.register_keras_serializable(package="keras_radtl")
class StagePooling(keras.layers.Layer):
    """Pool several feature maps by mean and standard deviation, and concatenate them.

    Early stages respond to texture and edges, late ones to shapes; the standard deviation says how unevenly a channel
    responds over the image. The layer computes in float32 under every dtype policy, since variances underflow in
    float16.

    Args:
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        List of k tensors `(batch, height_i, width_i, channels_i)`.

    Output shape:
        `(batch, 2 * (channels_1 + ... + channels_k))`, float32: means and then standard deviations of the first map,
        and so on.
    """

    def __init__(self, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)

    def build(self, input_shape):
        if not isinstance(input_shape, list) or any(len(shape) != 4 for shape in input_shape):
            raise ValueError(f"inputs must be a list of feature maps. Received: shape {input_shape}")

    def call(self, inputs):
        pooled = []
        for maps in inputs:
            maps = ops.cast(maps, "float32")
            mean, variance = ops.moments(maps, axes=(1, 2))
            pooled += [mean, ops.sqrt(variance + EPSILON)]
        return ops.concatenate(pooled, axis=-1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0][0], 2 * sum(shape[-1] for shape in input_shape))
