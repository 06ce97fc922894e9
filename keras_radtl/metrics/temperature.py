"""Temperature scaling: the one-parameter repair of overconfident or timid probabilities.

Reference: Guo, Pleiss, Sun and Weinberger, On Calibration of Modern Neural Networks, ICML 2017, section 4.2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.01, 100.0


class Temperature(NamedTuple):
    """A fitted temperature, the mean log loss without and with it, and whether it ran into the limit of the search."""

    temperature: float
    log_loss_before: float
    log_loss_after: float
    at_limit: bool


def fit_temperature(targets, logits) -> Temperature:
    """Fit the one number by which logits are divided so that the log loss on these cases is least.

    Fit on validation cases, apply to test cases with `scale_probabilities`. Ranking and predicted classes stay the
    same. The loss is convex in 1 / temperature, so the root of its derivative is the minimum. Cases that are all right
    want a temperature of 0, cases that are all wrong an infinite one: the search ends at 0.01 and 100, and says so.

    Args:
        targets: int array of class indices, shape (n,), n >= 1.
        logits: finite float array of shape (n, n_classes).

    Raises:
        ValueError: when shapes disagree, a target is no class index or a logit is not finite.
    """
    from scipy.optimize import brentq

    targets, logits = np.asarray(targets), np.asarray(logits, dtype=np.float64)
    if logits.ndim != 2 or targets.shape != logits.shape[:1] or not len(targets) or not np.isfinite(logits).all():
        raise ValueError(
            "`logits` must be finite, of shape (n, n_classes), with one target per row. "
            f"Received: {logits.shape} and {targets.shape}"
        )
    if not np.isin(targets, np.arange(logits.shape[1])).all():
        raise ValueError(
            f"`targets` must be class indices from 0 to {logits.shape[1] - 1}. "
            f"Received: values {np.unique(targets)[:10].tolist()}"
        )
    of_target = logits[np.arange(len(targets)), targets.astype(np.int64)]

    def slope(inverse: float) -> float:
        return float(np.mean(np.sum(scale_probabilities(logits, 1 / inverse) * logits, axis=1) - of_target))

    def loss(temperature: float) -> float:
        return float(np.mean(_log_sum_exp(logits / temperature) - of_target / temperature))

    lowest, highest = 1 / HIGHEST_TEMPERATURE, 1 / LOWEST_TEMPERATURE
    at_limit = slope(highest) <= 0 or slope(lowest) >= 0
    if at_limit:
        inverse = highest if slope(highest) <= 0 else lowest
    else:
        inverse = brentq(slope, lowest, highest, xtol=1e-12)
    return Temperature(1 / inverse, loss(1.0), loss(1 / inverse), at_limit)


def scale_probabilities(logits, temperature: float) -> np.ndarray:
    """Return the softmax of logits divided by a temperature, float64 of shape (n, n_classes).

    Raises:
        ValueError: unless the temperature is above 0.
    """
    if not temperature > 0:
        raise ValueError(f"`temperature` must be above 0. Received: temperature={temperature!r}")
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    return np.exp(scaled - _log_sum_exp(scaled)[:, None])


def _log_sum_exp(logits: np.ndarray) -> np.ndarray:
    highest = logits.max(axis=1)
    return highest + np.log(np.sum(np.exp(logits - highest[:, None]), axis=1))
