"""Divide a classifier into a frozen prefix, whose activations can be stored, and the part that is trained.

A layer is live if it is trainable, if it is a BatchNorm that uses batch statistics, or if any of its inputs comes from
a live layer. The cut is the set of tensors that go from other layers into live layers. The activations at the cut
depend on the image alone, so they are computed once per image. Both parts share their layers and variables with the
classifier.
"""

from __future__ import annotations

from typing import NamedTuple

import keras

from keras_radtl.models.keras_internals import nodes_by_depth, producer
from keras_radtl.models.layers.batchnorm import BackboneBatchNormalization


class Cut(NamedTuple):
    """A classifier divided into two models.

    Attributes:
        lower: The frozen prefix, from the image to the tensor or the list of tensors at the cut.
        upper: The rest, from the cut to the logits.
    """

    lower: keras.Model
    upper: keras.Model


def _is_live(operation) -> bool:
    adapts = isinstance(operation, BackboneBatchNormalization) and operation.statistics == "adapt"
    return adapts or bool(getattr(operation, "trainable_weights", ()))


def cut_tensors(model: keras.Model) -> list[keras.KerasTensor]:
    """Return the symbolic tensors at the cut of a flat functional model with its current trainable layers."""
    live, crossing = set(), {}
    for node in nodes_by_depth(model):
        below = [tensor for tensor in node.input_tensors if producer(tensor) not in live]
        if len(below) < len(node.input_tensors) or _is_live(node.operation):
            live.add(node.operation)
            crossing.update((id(tensor), tensor) for tensor in below)
    return list(crossing.values())


def cut(model: keras.Model) -> Cut | None:
    """Divide a classifier at the cut.

    Args:
        model: Flat functional classifier in which the trainable layers are set.

    Returns:
        Both parts, or None if the prefix has no weights, so that storing its output would save nothing.
    """
    tensors = cut_tensors(model)
    origins = {producer(tensor) for tensor in tensors}
    if any(isinstance(origin, keras.layers.InputLayer) for origin in origins):
        return None
    ends = tensors[0] if len(tensors) == 1 else tensors
    lower = keras.Model(model.inputs[0], ends, name="lower")
    if not lower.weights:
        return None
    return Cut(lower, keras.Model(ends, model.outputs[0], name="upper"))
