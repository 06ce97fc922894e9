"""Estimate the memory that a classifier needs, before it is allocated."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil

from keras_radtl.config import HeadConfig, UserError
from keras_radtl.models.layers.head_sizes import head_parameters

if TYPE_CHECKING:
    import keras

_FLOAT = 4  # bytes; weights, gradients and optimizer slots are float32 under every dtype policy
_CONTAINER_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # cgroup v2 and v1
_DTYPE_BYTES = {"float16": 2, "bfloat16": 2, "float64": 8, "uint8": 1}


class MemoryEstimate(NamedTuple):
    """Estimated memory in bytes.

    Attributes:
        parameters: Weights and moving statistics.
        gradients: Gradients of the trainable weights.
        optimizer: Optimizer slots.
        activations: Layer outputs.
    """

    parameters: int
    gradients: int
    optimizer: int
    activations: int

    @property
    def total(self) -> int:
        """The total in bytes."""
        return sum(self)


def available_memory() -> int:
    """Return the available main memory in bytes, at most the limit of the container."""
    known = [psutil.virtual_memory().available]
    for path in map(Path, _CONTAINER_LIMITS):
        text = path.read_text().strip() if path.is_file() else ""
        known += [int(text)] if text.isdigit() else []
    return min(known)


def estimate_memory(model: keras.Model, batch_size: int, optimizer_slots: int = 2) -> MemoryEstimate:
    """Estimate the memory to train a model with its current trainable layers.

    Backpropagation needs the outputs of all layers from the first trainable layer on. Before it, only the input and
    output of one layer are needed at a time, which counts as twice the largest output.

    Args:
        model: Functional model.
        batch_size: Images per batch.
        optimizer_slots: Values that the optimizer stores per weight: 2 for Adam, 1 for SGD with momentum.

    Returns:
        The estimate in bytes.
    """
    weights = sum(math.prod(w.shape) for w in model.weights) * _FLOAT
    trainable = sum(math.prod(w.shape) for w in model.trainable_weights) * _FLOAT
    kept, largest, training = 0, 0, False
    for layer in model.layers:
        size = batch_size * math.prod(layer.output.shape[1:]) * _DTYPE_BYTES.get(layer.output.dtype, _FLOAT)
        training = training or bool(layer.trainable_weights)
        kept += size if training else 0
        largest = max(largest, 2 * size)
    return MemoryEstimate(weights, trainable, optimizer_slots * trainable, max(kept, largest))


def require_memory(estimate: MemoryEstimate, what: str) -> None:
    """Require that an estimate does not exceed the available memory.

    Args:
        estimate: The estimate.
        what: What needs the memory, for the message.

    Raises:
        UserError: If it exceeds the available memory, with both amounts.
    """
    available = available_memory()
    if estimate.total > available:
        parts = ", ".join(f"{name} {size / 1e9:.2f}" for name, size in estimate._asdict().items() if size)
        raise UserError(
            f"{what} needs about {estimate.total / 1e9:.2f} GB of memory ({parts}); "
            f"{available / 1e9:.2f} GB are available"
        )


def require_head_memory(head: HeadConfig, features: int, num_classes: int) -> int:
    """Require that a head fits in the available memory, before it is built.

    The estimate includes the weights, their gradients and the two slots of Adam.

    Args:
        head: The head section of a configuration.
        features: Number of features per image.
        num_classes: Number of logits.

    Returns:
        Number of trainable parameters of the head.

    Raises:
        UserError: If the head does not fit, with the estimate.
    """
    count = head_parameters(head, features, num_classes)
    size = count * _FLOAT
    require_memory(MemoryEstimate(size, size, 2 * size, 0), f"A {head.name} head of {count:,} parameters")
    return count
