"""Learning-rate schedules by epoch.

Reference: BACON, released training code: `cosine` is cosine annealing from the initial learning rate to a fifth of it,
`beta` halves the learning rate after each epoch.
"""

from __future__ import annotations

import math


def learning_rate(schedule: str, base: float, epoch: int, epochs: int) -> float:
    """Return the learning rate of an epoch.

    Args:
        schedule: "constant", "cosine" or "beta".
        base: Learning rate of the first epoch.
        epoch: Epoch within the phase, counted from 0.
        epochs: Planned number of epochs of the phase, at least 1.

    Raises:
        ValueError: If the schedule is unknown.
    """
    if schedule == "constant":
        return base
    if schedule == "beta":
        return base * 0.5**epoch
    if schedule == "cosine":
        return base / 5 + (base - base / 5) * (1 + math.cos(math.pi * epoch / epochs)) / 2
    raise ValueError(f"`schedule` must be constant, cosine or beta. Received: schedule={schedule!r}")
