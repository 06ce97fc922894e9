"""Probabilities and mean losses of logits in NumPy, computed in float64."""

from __future__ import annotations

import numpy as np


def to_probabilities(logits: np.ndarray, multilabel: bool) -> np.ndarray:
    """Return the probabilities of logits.

    Args:
        logits: float array of shape (n_cases, n_classes).
        multilabel: Whether each logit is for an independent label (sigmoid) instead of a class (softmax).

    Returns:
        float64 array of the same shape.
    """
    logits = np.asarray(logits, np.float64)
    if multilabel:
        return 0.5 * (1 + np.tanh(0.5 * logits))
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def predicted_classes(probabilities: np.ndarray, multilabel: bool, threshold: np.ndarray | float | None) -> np.ndarray:
    """Return what is predicted from probabilities.

    Args:
        probabilities: float array of shape (n_cases, n_classes).
        multilabel: Whether each column is an independent label.
        threshold: Probability from which the second of two classes is predicted, a number or an array of shape
            (n_cases,); None for the class of highest probability.

    Returns:
        int array: the class of each case, or 0 and 1 of shape (n_cases, n_labels) for probabilities above 0.5.
    """
    if multilabel:
        return (probabilities > 0.5).astype(int)
    return probabilities.argmax(axis=1) if threshold is None else (probabilities[:, 1] >= threshold).astype(int)


def mean_loss(logits: np.ndarray, targets: np.ndarray, multilabel: bool, gamma: float = 0.0) -> float:
    """Return the mean of the loss of `make_loss` over cases, without label or case weights.

    Args:
        logits: float array of shape (n_cases, n_classes).
        targets: int array of shape (n_cases,) or, if `multilabel`, float array of shape (n_cases, n_labels) with NaN
            for unknown labels.
        multilabel: Whether each logit is for an independent label.
        gamma: Exponent >= 0 of the focal loss.
    """
    logits = np.asarray(logits, np.float64)
    if multilabel:
        known = ~np.isnan(targets)
        target = np.where(known, targets, 0)
        away = logits * (1 - 2 * target)  # the logit of the wrong answer
        each = np.logaddexp(0, away) * np.exp(-gamma * np.logaddexp(0, -away))
        return float(np.mean((each * known).sum(1) / np.maximum(known.sum(1), 1)))
    chosen = np.arange(logits.shape[1]) == np.asarray(targets)[:, None]
    total = np.logaddexp.reduce(logits, axis=1)
    others = np.logaddexp.reduce(np.where(chosen, -np.inf, logits), axis=1)
    return float(np.mean(np.exp(gamma * (others - total)) * (total - logits[chosen])))
