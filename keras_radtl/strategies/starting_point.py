"""L1-SP and L2-SP: a penalty that pulls weights to where they started.

    alpha * ||w - w0||_p^p over pretrained weights + beta * ||w||_p^p over the head,   p = 1 or 2

Reference: Li, Grandvalet and Davoine, Explicit Inductive Bias for Transfer Learning with Convolutional Networks,
ICML 2018; FTS sections 3.1.6 and 3.1.7.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from keras_radtl.models.groups import HEAD


@keras.saving.register_keras_serializable(package="keras_radtl")
class StartingPoint(keras.regularizers.Regularizer):
    """The penalty of one variable.

    Args:
        strength: float >= 0.
        norm: 1 for the sum of absolute differences, 2 for the sum of their squares.
        start: array of the variable's shape; None: zeros.
    """

    def __init__(self, strength: float, norm: int, start=None):
        self.strength, self.norm = float(strength), int(norm)
        self.start = None if start is None else np.asarray(start)

    def __call__(self, x):
        away = x if self.start is None else x - ops.convert_to_tensor(self.start, x.dtype)
        return self.strength * ops.sum(ops.abs(away) if self.norm == 1 else ops.square(away))

    def get_config(self) -> dict:
        return {
            "strength": self.strength,
            "norm": self.norm,
            "start": None if self.start is None else self.start.tolist(),
        }


def attach(model, initial: dict[str, np.ndarray], alpha: float, beta: float, norm: int) -> None:
    """Put the penalty on every trainable variable of a classifier.

    Args:
        model: classifier; its `losses` then hold the penalty.
        initial: weights as loaded, by variable path.
        alpha: strength on the backbone. beta: strength on the head.
        norm: 1 or 2.
    """
    for layer in model.layers:
        for variable in layer.trainable_weights:
            in_head = layer.name == HEAD
            variable.regularizer = (
                StartingPoint(beta, norm) if in_head else StartingPoint(alpha, norm, initial[variable.path])
            )


def detach(model) -> None:
    """Take the penalty off, so that a saved model has none."""
    for variable in model.weights:
        if isinstance(variable.regularizer, StartingPoint):
            variable.regularizer = None
