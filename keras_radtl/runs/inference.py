"""Predictions of a Keras model for batches of any size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from keras_radtl.config import UserError


def require_finite(logits: np.ndarray, names: Sequence[str]) -> None:
    """Refuse predictions that are not numbers.

    Args:
        logits: Array of shape (n_cases, n_classes).
        names: Cases or files, for the message.
    Raises:
        UserError: Naming the first case, and how many there are.
    """
    wrong = np.flatnonzero(~np.isfinite(logits).all(axis=1))
    if len(wrong):
        count = f"{len(wrong)} of {len(logits)} cases"
        raise UserError(f"The logits of {names[wrong[0]]} are not finite ({count}): the model has no usable weights")


class Predictor:
    """The forward pass of a model in inference mode, traced once for all batch sizes.

    Call it with batches to get their outputs, in order, as a float32 array of shape (n_cases, n_classes).

    Args:
        model: Keras model with one output.
    """

    def __init__(self, model):
        import tensorflow as tf

        self._classes = model.output_shape[-1] if len(model.outputs) == 1 else None
        types = [
            "float32" if "float" in tensor.dtype else tensor.dtype for tensor in model.inputs
        ]  # the model casts them
        specs = [tf.TensorSpec((None, *t.shape[1:]), kind) for t, kind in zip(model.inputs, types, strict=True)]
        signature = [specs[0] if len(specs) == 1 else tuple(specs)]
        self.step = tf.function(lambda x: model(x, training=False), input_signature=signature)

    def __call__(self, batches: Iterable, advance=None) -> np.ndarray:
        parts = []
        for batch in batches:
            parts.append(self.step(batch).numpy().astype(np.float32, copy=False))
            if advance is not None:
                advance(len(parts[-1]))
        return np.concatenate(parts) if parts else np.zeros((0, self._classes), np.float32)
