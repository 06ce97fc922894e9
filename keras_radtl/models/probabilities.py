"""What logits say, in NumPy: probabilities and the mean loss of `losses`, in float64."""

from __future__ import annotations

import numpy as np


def to_probabilities(logits: np.ndarray, multilabel: bool) -> np.ndarray:
    """Turn logits, float of shape (cases, classes), into float64 probabilities of the same shape."""
    logits = np.asarray(logits, np.float64)
    if multilabel:
        return 0.5 * (1 + np.tanh(0.5 * logits))
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def mean_loss(logits: np.ndarray, targets: np.ndarray, multilabel: bool, gamma: float = 0.0) -> float:
    """Return the unweighted mean loss of known cases in float64: that of `make_loss` without any weights.

    Args:
        logits: float (cases, classes).
        targets: int (cases,), or float (cases, labels) with NaN for unknown.
        multilabel: bool.
        gamma: float >= 0, exponent of the focal loss.
    """
    logits = np.asarray(logits, np.float64)
    if multilabel:
        known = ~np.isnan(targets)
        target = np.where(known, targets, 0)
        away = logits * (1 - 2 * target)  # the logit of being wrong
        each = np.logaddexp(0, away) * np.exp(-gamma * np.logaddexp(0, -away))
        return float(np.mean((each * known).sum(1) / np.maximum(known.sum(1), 1)))
    chosen = np.arange(logits.shape[1]) == np.asarray(targets)[:, None]
    total = np.logaddexp.reduce(logits, axis=1)
    others = np.logaddexp.reduce(np.where(chosen, -np.inf, logits), axis=1)
    return float(np.mean(np.exp(gamma * (others - total)) * (total - logits[chosen])))
