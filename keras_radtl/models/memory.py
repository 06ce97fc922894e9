"""The memory that a classifier needs, estimated before it is allocated."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import psutil

from keras_radtl.config import HeadConfig, UserError
from keras_radtl.models.layers.head_sizes import head_parameters

_FLOAT = 4  # bytes of a float32; weights, gradients and slots are float32 under every precision
_CONTAINER_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # cgroup v2 and v1
_DTYPE_BYTES = {"float16": 2, "bfloat16": 2, "float64": 8, "uint8": 1}


class MemoryEstimate(NamedTuple):
    """Bytes by use."""

    parameters: int
    gradients: int
    optimizer: int
    activations: int

    @property
    def total(self) -> int:
        """Sum of all parts, in bytes."""
        return sum(self)


def available_memory() -> int:
    """Return the bytes of main memory that this process may still use, at most the limit of its container."""
    known = [psutil.virtual_memory().available]
    for path in map(Path, _CONTAINER_LIMITS):
        text = path.read_text().strip() if path.is_file() else ""
        known += [int(text)] if text.isdigit() else []
    return min(known)


def estimate_memory(model, batch_size: int, optimizer_slots: int = 2) -> MemoryEstimate:
    """Estimate the memory that training a model needs, with its layers frozen as they are.

    Activations: the outputs of all layers from the first trainable one are kept for the gradient; below it, only the
    largest layer output counts, twice: as input and as output.

    Args:
        model: keras.Model, functional.
        batch_size: int, images.
        optimizer_slots: int, values that the optimizer keeps per weight: 2 for Adam, 1 for momentum.
    Returns:
        MemoryEstimate, in bytes.
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
    """Raise a `UserError` with the numbers when an estimate exceeds the available memory.

    Args:
        estimate: MemoryEstimate.
        what: str, what needs it, for the message.
    """
    available = available_memory()
    if estimate.total > available:
        parts = ", ".join(f"{name} {size / 1e9:.2f}" for name, size in estimate._asdict().items() if size)
        raise UserError(
            f"{what} needs about {estimate.total / 1e9:.2f} GB of memory ({parts}); {available / 1e9:.2f} GB are free"
        )


def require_head_memory(head: HeadConfig, features: int, num_classes: int) -> int:
    """Refuse a head that needs more than the available memory, before anything is allocated.

    A head always trains: its weights, their gradients and the two slots of Adam are counted.

    Args:
        head: HeadConfig.
        features: int, number of features per image.
        num_classes: int, number of logits.
    Returns:
        int, trainable parameters of the head.
    Raises:
        UserError: with the numbers.
    """
    count = head_parameters(head, features, num_classes)
    size = count * _FLOAT
    require_memory(MemoryEstimate(size, size, 2 * size, 0), f"A {head.name} head of {count:,} parameters")
    return count
