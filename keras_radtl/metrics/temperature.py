"""Temperature scaling: calibration of overconfident or underconfident probabilities with one parameter.

Reference: Guo, Pleiss, Sun and Weinberger, On Calibration of Modern Neural Networks, ICML 2017, section 4.2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.01, 100.0


class Temperature(NamedTuple):
    """A fitted temperature, the mean log loss before and after scaling, and whether the search ended at its limit."""

    temperature: float
    log_loss_before: float
    log_loss_after: float
    at_limit: bool


def fit_temperature(targets: ArrayLike, logits: ArrayLike) -> Temperature:
    """Fit the temperature that minimizes the log loss of softmax(logits / temperature).

    Fit the temperature on validation cases and apply it to test cases with `scale_probabilities`. It does not change
    the predicted classes. The loss is convex in 1 / temperature, so the root of its derivative is the minimum. If all
    cases are predicted correctly the optimum is 0, and if all are predicted incorrectly it can be infinite; the search
    is limited to [0.01, 100] and `at_limit` reports that.

    Args:
        targets: int array of class indices, shape (n,), n >= 1.
        logits: finite float array of shape (n, n_classes).

    Returns:
        A `Temperature`.

    Raises:
        ValueError: if shapes do not match, a target is not a class index or a logit is not finite.
    """
    from scipy.optimize import brentq

    targets, logits = np.asarray(targets), np.asarray(logits, dtype=np.float64)
    if logits.ndim != 2 or targets.shape != logits.shape[:1] or not len(targets) or not np.isfinite(logits).all():
        raise ValueError(
            "`logits` must be finite and have shape (n, n_classes) with one row per target and at least one target. "
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


def scale_probabilities(logits: ArrayLike, temperature: float) -> np.ndarray:
    """Compute softmax(logits / temperature).

    Args:
        logits: float array of shape (n, n_classes).
        temperature: greater than 0; above 1 the probabilities become less extreme.

    Returns:
        Probabilities, float64 array of shape (n, n_classes).

    Raises:
        ValueError: if `temperature` is not greater than 0.
    """
    if not temperature > 0:
        raise ValueError(f"`temperature` must be greater than 0. Received: temperature={temperature!r}")
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    return np.exp(scaled - _log_sum_exp(scaled)[:, None])


def _log_sum_exp(logits: np.ndarray) -> np.ndarray:
    highest = logits.max(axis=1)
    return highest + np.log(np.sum(np.exp(logits - highest[:, None]), axis=1))
