"""Learning rates by epoch, constant within one.

Reference: BACON, released training code: `cosine` is CosineAnnealing from the rate to a fifth of it over all epochs,
`beta` halves the rate each epoch.
"""

from __future__ import annotations

import math


def learning_rate(schedule: str, base: float, epoch: int, epochs: int) -> float:
    """Return the learning rate of one epoch.

    Args:
        schedule: `constant`, `cosine` or `beta`.
        base: learning rate of epoch 0.
        epoch: 0-based epoch within the phase.
        epochs: planned epochs of the phase, at least 1.
    """
    if schedule == "constant":
        return base
    if schedule == "beta":
        return base * 0.5**epoch
    if schedule == "cosine":
        return base / 5 + (base - base / 5) * (1 + math.cos(math.pi * epoch / epochs)) / 2
    raise ValueError(f"`schedule` must be constant, cosine or beta. Received: schedule={schedule!r}")
