"""Calibration of logits by a temperature and an offset for each class, so that models can be averaged on one scale.

With two classes this is Platt's method: a logistic regression of the class on the difference of the logits. More
classes share the temperature; labels have one each. Targets are smoothed as Platt does, which keeps the fit finite if
the cases are separable.

Reference: Platt, Probabilistic outputs for support vector machines, in Advances in Large Margin Classifiers (1999),
section 2.2; Guo, Pleiss, Sun and Weinberger, On Calibration of Modern Neural Networks, ICML 2017, section 4.2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from keras_radtl.metrics.temperature import HIGHEST_TEMPERATURE, LOWEST_TEMPERATURE


class Calibration(NamedTuple):
    """Calibrated logits are `logits / temperature + offset`.

    Classes have one temperature and offsets of sum 0; labels have a temperature and an offset each.
    """

    temperature: float | tuple[float, ...]
    offset: tuple[float, ...]


def fit_calibration(targets: ArrayLike, logits: ArrayLike) -> Calibration:
    """Fit the temperature and the offsets that minimize the cross-entropy to the smoothed targets.

    A case of class y among K classes, of which n_y cases have class y, has the target (n_y + 1) / (n_y + K) for y and
    1 / (n_y + K) for every other class. The temperature is limited to [0.01, 100], so that a model that ranks the cases
    the wrong way round gets almost no weight.

    Args:
        targets: int array of class indices, shape (n,), with a case of each class.
        logits: finite float array of shape (n, n_classes).

    Returns:
        A `Calibration`.

    Raises:
        ValueError: if shapes do not match, a class is absent or a logit is not finite.
    """
    from scipy.optimize import minimize

    targets, logits = np.asarray(targets), np.asarray(logits, dtype=np.float64)
    if logits.ndim != 2 or targets.shape != logits.shape[:1] or not np.isfinite(logits).all():
        raise ValueError(
            "`logits` must be finite and have shape (n, n_classes) with one row per target. "
            f"Received: {logits.shape} and {targets.shape}"
        )
    classes = logits.shape[1]
    if not np.array_equal(np.unique(targets), np.arange(classes)):
        raise ValueError(f"`targets` must contain each class from 0 to {classes - 1}. Received: {np.unique(targets)}")
    smooth = _smoothed(targets.astype(np.int64), classes)
    centred = logits - logits.mean(axis=1, keepdims=True)
    unit = float(np.sqrt(np.mean(centred**2))) or 1.0  # the optimizer sees logits of size 1
    scaled = centred / unit

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        moved = parameters[0] * scaled + parameters[1:]
        total = np.logaddexp.reduce(moved, axis=1, keepdims=True)
        residual = (np.exp(moved - total) - smooth) / len(smooth)
        gradient = np.append(np.sum(residual * scaled), residual.sum(axis=0))
        return float(np.mean(np.sum(smooth * (total - moved), axis=1))), gradient

    bounds = [(unit / HIGHEST_TEMPERATURE, unit / LOWEST_TEMPERATURE), *[(None, None)] * classes]
    start = np.append(np.clip(unit, *bounds[0]), np.zeros(classes))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-15, "gtol": 1e-10})
    offset = found.x[1:] - found.x[1:].mean()
    return Calibration(float(unit / found.x[0]), tuple(offset.tolist()))


def fit_label_calibration(targets: ArrayLike, logits: ArrayLike) -> Calibration:
    """Fit the temperature and the offset of each label of a multi-label task, as of two classes.

    Args:
        targets: array of shape (n, n_labels) with values 0, 1 and NaN (unknown); each label has a 0 and a 1.
        logits: finite float array of the same shape.

    Returns:
        A `Calibration` with a temperature for each label.

    Raises:
        ValueError: if shapes do not match, a label does not vary or a logit is not finite.
    """
    targets, logits = np.asarray(targets, dtype=np.float64), np.asarray(logits, dtype=np.float64)
    if targets.ndim != 2 or targets.shape != logits.shape:
        raise ValueError(
            f"`targets` and `logits` must have the same shape (n, n_labels). Received: {targets.shape}, {logits.shape}"
        )
    found = []
    for target, logit in zip(targets.T, logits.T, strict=True):
        known = ~np.isnan(target)
        found.append(fit_calibration(target[known], np.stack([np.zeros(known.sum()), logit[known]], axis=1)))
    offsets = tuple(calibration.offset[1] - calibration.offset[0] for calibration in found)
    temperatures = np.array([calibration.temperature for calibration in found], dtype=np.float64)
    return Calibration(tuple(temperatures.tolist()), offsets)


def calibrate_logits(logits: ArrayLike, calibration: Calibration) -> np.ndarray:
    """Return calibrated logits.

    Args:
        logits: float array of shape (..., n_classes).
        calibration: from `fit_calibration` or `fit_label_calibration`.

    Returns:
        float64 array of the same shape.
    """
    temperature, offset = (np.asarray(values, dtype=np.float64) for values in calibration)
    return np.asarray(logits, dtype=np.float64) / temperature + offset


def _smoothed(targets: np.ndarray, classes: int) -> np.ndarray:
    counts = np.bincount(targets, minlength=classes)[targets][:, None]
    own = targets[:, None] == np.arange(classes)
    return np.where(own, counts + 1, 1) / (counts + classes)
