"""The backbone of the statistical baselines: an image as it is, in grey."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_radtl")
class GreyPixels(keras.layers.Layer):
    """Return the mean over the channels of an image, which for a grey image is the image.

    Args:
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`, float32.

    Output shape:
        `(batch, height, width, 1)`, float32.
    """

    def __init__(self, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)

    def call(self, inputs):
        return ops.mean(inputs, axis=-1, keepdims=True)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 1)
