"""Learning-rate multipliers by layer: fixed for each group, or set by relative gradient norms.

The optimizer multiplies the update of each variable by its multiplier. Scaling the gradient instead would have no
effect with Adam, whose update does not depend on the scale of the gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_radtl.models.groups import HEAD, layer_groups

_TINY = 1e-12


def layer_of(path: str) -> str:
    """Return the layer of a variable path: "head/hidden" for "head/hidden/kernel"."""
    return path.rpartition("/")[0]


class GroupMultipliers:
    """Fixed learning-rate multipliers for the head and each layer group.

    Args:
        model: The classifier.
        multipliers: Multipliers >= 0 of the head, the last group, the group before it and so on. The last multiplier
            also applies to all remaining groups.
        counting: How layers are grouped: "stages", "reference" or "fts".
    """

    def __init__(self, model: keras.Model, multipliers: Sequence[float], counting: str):
        groups = [(HEAD,), *(group.layers for group in reversed(layer_groups(model, counting)) if group.parameters)]
        padded = [*multipliers, *[multipliers[-1]] * (len(groups) - len(multipliers))]
        self._multipliers = {}
        for names, multiplier in reversed(list(zip(groups, padded, strict=True))):  # listed from the input to the head
            for name in names:
                for variable in model.get_layer(name).weights:
                    self._multipliers[variable.path] = multiplier

    def observe(self, gradients: Sequence, variables: Sequence[keras.Variable]) -> None:
        """Do nothing: the multipliers are fixed."""

    def scale(self, variable: keras.Variable) -> float:
        """Return the learning-rate multiplier of a variable."""
        return self._multipliers[variable.path]

    def begin_epoch(self) -> None:
        """Do nothing: the multipliers are fixed."""

    def means(self) -> dict[str, float]:
        """Return the multiplier of each layer."""
        return {layer_of(path): float(multiplier) for path, multiplier in self._multipliers.items()}


class RelativeGradientNorms:
    """Auto-RGN: learning-rate multipliers from the relative gradient norms of each training step.

    The multiplier of a layer is ||gradient|| / ||weights||, divided by the largest ratio of all layers. The norms
    include all variables of a layer, such as the kernel and bias of a convolution.

    Args:
        variables: Trainable variables of the classifier.

    Reference: Lee et al., Surgical Fine-Tuning Improves Adaptation to Distribution Shifts, ICLR 2023; Davila et al.,
    section 3.1.8.
    """

    def __init__(self, variables: Sequence[keras.Variable]):
        self.layers = list(dict.fromkeys(layer_of(v.path) for v in variables))
        self._row = {v.path: self.layers.index(layer_of(v.path)) for v in variables}
        shape = (len(self.layers),)
        self._now = keras.Variable(np.ones(shape, "float32"), trainable=False, name="multipliers")
        self._sum = keras.Variable(np.zeros(shape, "float32"), trainable=False, name="sum_of_multipliers")
        self._steps = keras.Variable(0.0, trainable=False, name="steps")

    def observe(self, gradients: Sequence, variables: Sequence[keras.Variable]) -> None:
        """Set the multipliers from the gradients of one step."""
        squares = [[0.0, 0.0] for _ in self.layers]
        for gradient, variable in zip(gradients, variables, strict=True):
            pair = squares[self._row[variable.path]]
            pair[0] = pair[0] + ops.sum(ops.square(ops.cast(gradient, "float32")))
            pair[1] = pair[1] + ops.sum(ops.square(ops.cast(variable, "float32")))
        norms = ops.stack([ops.sqrt(g) / ops.maximum(ops.sqrt(w), _TINY) for g, w in squares])
        self._now.assign(norms / ops.maximum(ops.max(norms), _TINY))
        self._sum.assign_add(self._now)
        self._steps.assign_add(1.0)

    def scale(self, variable: keras.Variable) -> Any:
        """Return the learning-rate multiplier of a variable, a scalar tensor in [0, 1]."""
        return self._now[self._row[variable.path]]

    def begin_epoch(self) -> None:
        """Reset the means."""
        self._sum.assign(np.zeros(len(self.layers), "float32"))
        self._steps.assign(0.0)

    def means(self) -> dict[str, float]:
        """Return the mean multiplier of each layer over the steps of the epoch."""
        means = np.asarray(self._sum) / max(float(self._steps), 1.0)
        return dict(zip(self.layers, means.astype(float).tolist(), strict=True))


def make_multipliers(
    model: keras.Model, multipliers: Sequence[float], counting: str, auto_multipliers: bool
) -> GroupMultipliers | RelativeGradientNorms | None:
    """Return the learning-rate multipliers of a phase, or None if all layers have the same learning rate.

    Args:
        model: Classifier in which the trainable layers are set.
        multipliers: Fixed multipliers from `group_multipliers`.
        counting: How layers are grouped: "stages", "reference" or "fts".
        auto_multipliers: Whether to use relative gradient norms instead of fixed multipliers.
    """
    if auto_multipliers:
        return RelativeGradientNorms(model.trainable_variables)
    return GroupMultipliers(model, multipliers, counting) if multipliers else None
