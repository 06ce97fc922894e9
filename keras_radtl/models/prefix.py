"""Cut a classifier where training begins: below it every activation is a function of the picture alone.

A layer is live when it trains, when its BatchNorm works on batch statistics, or when a live layer feeds it. The cut is
the set of tensors that pass from other layers to live ones. The lower part can be computed once a picture; the upper
part trains on what it gives, and shares its layers and variables with the whole.
"""

from __future__ import annotations

from typing import NamedTuple

import keras

from keras_radtl.models.keras_internals import nodes_by_depth, producer
from keras_radtl.models.layers.batchnorm import BackboneBatchNormalization


class Cut(NamedTuple):
    """A classifier in two parts.

    Attributes:
        lower: from the image to the tensor, or the list of tensors, at the cut.
        upper: from there to the logits.
    """

    lower: keras.Model
    upper: keras.Model


def _alive(operation) -> bool:
    adapts = isinstance(operation, BackboneBatchNormalization) and operation.statistics == "adapt"
    return adapts or bool(getattr(operation, "trainable_weights", ()))


def cut_tensors(model) -> list:
    """Return the symbolic tensors at the cut of a flat functional model, as its `trainable` flags now stand."""
    live, crossing = set(), {}
    for node in nodes_by_depth(model):
        below = [tensor for tensor in node.input_tensors if producer(tensor) not in live]
        if len(below) < len(node.input_tensors) or _alive(node.operation):
            live.add(node.operation)
            crossing.update((id(tensor), tensor) for tensor in below)
    return list(crossing.values())


def cut(model) -> Cut | None:
    """Cut a classifier, or return None when no layer with weights is below the cut: scaling alone is not worth storing.

    Args:
        model: flat functional classifier with its `trainable` flags set.
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
