"""All uses of private Keras attributes, each in one function with its own test.

Tested with Keras 3.15.0 and 3.15.1. If a new Keras version renames an attribute, `tests/models/test_keras_internals.py`
fails.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

TESTED_VERSIONS = ("3.15.0", "3.15.1")


@contextlib.contextmanager
def isolated_session() -> Iterator[None]:
    """Use a separate Keras session, then restore the layer name counters, dtype policy and seeds of the caller.

    Otherwise `keras.backend.clear_session` would reset the settings of a notebook.
    """
    from keras.src.backend.common import global_state

    saved = global_state.GLOBAL_STATE_TRACKER, global_state.GLOBAL_SETTINGS_TRACKER
    try:
        yield
    finally:
        global_state.GLOBAL_STATE_TRACKER, global_state.GLOBAL_SETTINGS_TRACKER = saved


def nodes_by_depth(model: keras.Model) -> Iterator[Any]:
    """Yield the nodes of a functional model from input to output; each has `operation` and `input_tensors`."""
    for depth in sorted(model._nodes_by_depth, reverse=True):
        yield from model._nodes_by_depth[depth]


def producer(tensor: keras.KerasTensor) -> keras.Operation:
    """Return the operation that outputs a symbolic tensor."""
    return tensor._keras_history.operation


def connections(layer: keras.layers.Layer) -> tuple[list, list]:
    """Return the lists of the inbound and outbound nodes of a layer; they can be modified."""
    return layer._inbound_nodes, layer._outbound_nodes


def flatten_layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """Yield every layer of a model, including nested layers."""
    yield from model._flatten_layers(include_self=False)


def optimizer_variables(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """Return the variables that a built optimizer updates."""
    return optimizer._trainable_variables


def optimizer_index(optimizer: keras.optimizers.Optimizer, variable: Any) -> int:
    """Return the index of a Keras variable, or of its TensorFlow variable, among those that an optimizer updates."""
    return optimizer._get_variable_index(variable)


def adam_slots(optimizer: keras.optimizers.Optimizer, variable: Any) -> tuple[keras.Variable, keras.Variable]:
    """Return the first and second moments of a variable in an optimizer of the Adam family."""
    index = optimizer_index(optimizer, variable)
    return optimizer._momentums[index], optimizer._velocities[index]


class OptimizerHooks:
    """Mixin that makes private methods of `keras.optimizers.Optimizer` available under public names.

    Subclasses override `uses_weight_decay`, `apply_weight_decay` and `sum_over_replicas`.
    """

    def uses_weight_decay(self, variable: Any) -> bool:
        """Return whether weight decay applies to a variable."""
        return super()._use_weight_decay(variable)

    def sum_over_replicas(self, grads_and_vars: list[tuple]) -> list[tuple]:
        """Return the gradients summed over all replicas of a distribution strategy."""
        return super()._all_reduce_sum_gradients(grads_and_vars)

    def apply_weight_decay(self, variables: list) -> None:
        """Apply decoupled weight decay to the variables."""
        super()._apply_weight_decay(variables)

    def _use_weight_decay(self, variable) -> bool:
        return self.uses_weight_decay(variable)

    def _all_reduce_sum_gradients(self, grads_and_vars):
        return self.sum_over_replicas(grads_and_vars)

    def _apply_weight_decay(self, variables) -> None:
        self.apply_weight_decay(variables)
