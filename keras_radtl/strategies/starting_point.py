"""L1-SP and L2-SP: a penalty on the distance of the weights to the starting point.

    alpha * ||w - w0||_p^p for the pretrained weights + beta * ||w||_p^p for the head,   p = 1 or 2

A head that starts from a probe is penalised by its distance to the probe instead.

Reference: Li, Grandvalet and Davoine, Explicit Inductive Bias for Transfer Learning with Convolutional Networks,
ICML 2018; Davila et al., sections 3.1.6 and 3.1.7.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from keras_radtl.models.groups import HEAD


@keras.saving.register_keras_serializable(package="keras_radtl")
class StartingPoint(keras.regularizers.Regularizer):
    """Penalty on the distance of one variable to its starting point.

    Args:
        strength: Factor >= 0 of the penalty.
        norm: 1 for the sum of absolute differences, 2 for the sum of squared differences.
        start: Starting point, an array with the shape of the variable. None means zeros.
    """

    def __init__(self, strength: float, norm: int, start: ArrayLike | None = None):
        self.strength, self.norm = float(strength), int(norm)
        self.start = None if start is None else np.asarray(start)

    def __call__(self, x):
        difference = x if self.start is None else x - ops.convert_to_tensor(self.start, x.dtype)
        return self.strength * ops.sum(ops.abs(difference) if self.norm == 1 else ops.square(difference))

    def get_config(self) -> dict:
        return {
            "strength": self.strength,
            "norm": self.norm,
            "start": None if self.start is None else self.start.tolist(),
        }


def add_penalty(
    model: keras.Model, initial: dict[str, np.ndarray], alpha: float, beta: float, norm: int, from_head: bool = False
) -> None:
    """Add the penalty to every trainable variable of a classifier.

    Args:
        model: The classifier; the penalty becomes part of `model.losses`.
        initial: Initial weights by variable path.
        alpha: Factor for the backbone.
        beta: Factor for the head.
        norm: 1 or 2.
        from_head: Whether the starting point of the head are its initial weights, as after a probe, instead of zero.
    """
    for layer in model.layers:
        for variable in layer.trainable_weights:
            in_head = layer.name == HEAD
            start = None if in_head and not from_head else initial[variable.path]
            variable.regularizer = StartingPoint(beta if in_head else alpha, norm, start)


def remove_penalty(model: keras.Model) -> None:
    """Remove the penalty, so that the saved model does not have it."""
    for variable in model.weights:
        if isinstance(variable.regularizer, StartingPoint):
            variable.regularizer = None
