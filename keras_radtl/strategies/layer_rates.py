"""Learning rates that differ by layer: fixed by group, or following relative gradient norms.

Both give the optimizer a factor a variable, which scales its update. (Scaling the gradient would be void under Adam,
whose update does not depend on the gradient's scale.)
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from keras_radtl.models.groups import HEAD, layer_groups

_TINY = 1e-12


def layer_of(path: str) -> str:
    """Return the layer part of a variable's path: `head/hidden/kernel` belongs to `head/hidden`."""
    return path.rpartition("/")[0]


class GroupMultipliers:
    """Fixed factors by layer group, from the output: head, last group, the one before and so on; the last one repeats.

    Args:
        model: classifier.
        factors: float >= 0 each.
        counting: of the layer groups.
    """

    def __init__(self, model, factors: Sequence[float], counting: str):
        groups = [(HEAD,), *(group.layers for group in reversed(layer_groups(model, counting)) if group.parameters)]
        padded = [*factors, *[factors[-1]] * (len(groups) - len(factors))]
        self._factors = {}
        for names, factor in reversed(list(zip(groups, padded, strict=True))):  # told from the input to the head
            for name in names:
                for variable in model.get_layer(name).weights:
                    self._factors[variable.path] = factor

    def observe(self, gradients, variables) -> None:
        """Do nothing: the factors are fixed."""

    def scale(self, variable) -> float:
        """Return the factor of a variable's learning rate."""
        return self._factors[variable.path]

    def begin_epoch(self) -> None:
        """Do nothing: the factors are fixed."""

    def means(self) -> dict[str, float]:
        """Return the factor of each layer."""
        return {layer_of(path): float(factor) for path, factor in self._factors.items()}


class RelativeGradientNorms:
    """Auto-RGN: the factor of a layer is ||gradient|| / ||weights||, divided by the largest of all layers.

    A layer is what has one path: the kernel and bias of a convolution are one. Factors follow every step's gradients.

    Reference: Lee et al., Surgical Fine-Tuning Improves Adaptation to Distribution Shifts, ICLR 2023; FTS section 3.1.8.
    """

    def __init__(self, variables):
        self.layers = list(dict.fromkeys(layer_of(v.path) for v in variables))
        self._row = {v.path: self.layers.index(layer_of(v.path)) for v in variables}
        shape = (len(self.layers),)
        self._now = keras.Variable(np.ones(shape, "float32"), trainable=False, name="rates")
        self._sum = keras.Variable(np.zeros(shape, "float32"), trainable=False, name="sum_of_rates")
        self._steps = keras.Variable(0.0, trainable=False, name="steps")

    def observe(self, gradients, variables) -> None:
        """Set the factors from one step's gradients."""
        squares = [[0.0, 0.0] for _ in self.layers]
        for gradient, variable in zip(gradients, variables, strict=True):
            pair = squares[self._row[variable.path]]
            pair[0] = pair[0] + ops.sum(ops.square(ops.cast(gradient, "float32")))
            pair[1] = pair[1] + ops.sum(ops.square(ops.cast(variable, "float32")))
        norms = ops.stack([ops.sqrt(g) / ops.maximum(ops.sqrt(w), _TINY) for g, w in squares])
        self._now.assign(norms / ops.maximum(ops.max(norms), _TINY))
        self._sum.assign_add(self._now)
        self._steps.assign_add(1.0)

    def scale(self, variable):
        """Return the factor of a variable's learning rate, a scalar tensor in [0, 1]."""
        return self._now[self._row[variable.path]]

    def begin_epoch(self) -> None:
        """Start the means of an epoch anew."""
        self._sum.assign(np.zeros(len(self.layers), "float32"))
        self._steps.assign(0.0)

    def means(self) -> dict[str, float]:
        """Return the mean factor of each layer over the epoch."""
        means = np.asarray(self._sum) / max(float(self._steps), 1.0)
        return dict(zip(self.layers, means.astype(float).tolist(), strict=True))


def make_multipliers(
    model, factors: Sequence[float], counting: str, auto_rates: bool
) -> GroupMultipliers | RelativeGradientNorms | None:
    """Return the learning-rate multipliers of a phase, or None when all layers have the same rate.

    Args:
        model: classifier with its `trainable` flags set.
        factors: from `group_factors`.
        counting: of the layer groups.
        auto_rates: whether the rates follow relative gradient norms.
    """
    if auto_rates:
        return RelativeGradientNorms(model.trainable_variables)
    return GroupMultipliers(model, factors, counting) if factors else None
