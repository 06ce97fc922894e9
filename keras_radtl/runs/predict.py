"""Logits of a model for stored pixels, in order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from keras_radtl.data.pipeline import evaluation_batches


def make_predictor(model) -> Callable[[np.ndarray, np.ndarray, int], np.ndarray]:
    """Return a function (pixels, indices, batch_size) -> float32 logits of shape (len(indices), classes).

    The forward pass is traced once, for any batch size; it runs in inference mode.
    """
    import tensorflow as tf

    shape = (None, *model.input_shape[1:])

    @tf.function(input_signature=[tf.TensorSpec(shape, model.inputs[0].dtype)], reduce_retracing=True)
    def forward(x):
        return tf.cast(model(x, training=False), tf.float32)

    def predict(pixels, indices, batch_size, advance=None):
        parts = []
        for batch in evaluation_batches(pixels, indices, batch_size):
            parts.append(forward(batch).numpy())
            if advance is not None:
                advance(len(parts[-1]))
        return np.concatenate(parts) if parts else np.zeros((0, model.output_shape[-1]), np.float32)

    return predict
