"""Private attributes of Keras that the package needs, each in one function with a test of its own.

Tried with Keras 3.15.0 and 3.15.1. A new version of Keras that renames one fails in `tests/models/test_keras_internals.py`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

TRIED_VERSIONS = ("3.15.0", "3.15.1")


@contextlib.contextmanager
def own_session() -> Iterator[None]:
    """Give Keras a session of its own and restore the caller's afterwards: layer name counters, dtype policy, seeds.

    Without it, `keras.backend.clear_session` would reset what a notebook has set.
    """
    from keras.src.backend.common import global_state

    saved = global_state.GLOBAL_STATE_TRACKER, global_state.GLOBAL_SETTINGS_TRACKER
    try:
        yield
    finally:
        global_state.GLOBAL_STATE_TRACKER, global_state.GLOBAL_SETTINGS_TRACKER = saved


def nodes_by_depth(model) -> Iterator[Any]:
    """Yield the nodes of a functional model from its inputs to its outputs; each has `operation` and `input_tensors`."""
    for depth in sorted(model._nodes_by_depth, reverse=True):
        yield from model._nodes_by_depth[depth]


def producer(tensor):
    """Return the operation that made a symbolic tensor."""
    return tensor._keras_history.operation


def connections(layer) -> tuple[list, list]:
    """Return the lists in which a layer keeps the nodes that it made and those that use its outputs."""
    return layer._inbound_nodes, layer._outbound_nodes


def inner_layers(model) -> Iterator[Any]:
    """Yield every layer of a model, also those inside other layers."""
    yield from model._flatten_layers(include_self=False)


def optimizer_variables(optimizer) -> list:
    """Return the variables that a built optimizer trains."""
    return optimizer._trainable_variables


def optimizer_index(optimizer, variable) -> int:
    """Return the position of a variable, or of its bare TensorFlow variable, among those that the optimizer trains."""
    return optimizer._get_variable_index(variable)


def adam_slots(optimizer, variable) -> tuple[Any, Any]:
    """Return the first and second moment of a variable in an optimizer of the Adam family."""
    index = optimizer_index(optimizer, variable)
    return optimizer._momentums[index], optimizer._velocities[index]


class OptimizerHooks:
    """The private methods of `keras.optimizers.Optimizer` that our optimizers change; mixed in before one of them.

    Subclasses override `decays(variable)`, `sum_over_replicas` and `decay(variables)`.
    """

    def decays(self, variable) -> bool:
        """Return whether weight decay applies to a variable."""
        return super()._use_weight_decay(variable)

    def sum_over_replicas(self, grads_and_vars):
        """Return the gradients summed over all replicas of a distribution strategy."""
        return super()._all_reduce_sum_gradients(grads_and_vars)

    def decay(self, variables) -> None:
        """Apply decoupled weight decay."""
        super()._apply_weight_decay(variables)

    def _use_weight_decay(self, variable) -> bool:
        return self.decays(variable)

    def _all_reduce_sum_gradients(self, grads_and_vars):
        return self.sum_over_replicas(grads_and_vars)

    def _apply_weight_decay(self, variables) -> None:
        self.decay(variables)
