"""Losses on logits: softmax for one label a case, sigmoid for several, unknown labels left out."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="keras_radtl")
class MaskedBinaryCrossentropy(keras.losses.Loss):
    """Mean sigmoid cross-entropy over the labels of a case that are known; NaN is an unknown label.

    Call with `y_true` float of shape (batch, labels) with 0, 1 or NaN and `y_pred` logits of the same shape. A case
    without a known label has loss 0.
    """

    def call(self, y_true, y_pred):
        y_pred = ops.cast(y_pred, "float32")
        y_true = ops.cast(y_true, "float32")
        known = ops.logical_not(ops.isnan(y_true))
        target = ops.where(known, y_true, 0.0)
        each = ops.maximum(y_pred, 0) - y_pred * target + ops.log1p(ops.exp(-ops.abs(y_pred)))
        weight = ops.cast(known, "float32")
        return ops.sum(each * weight, axis=-1) / ops.maximum(ops.sum(weight, axis=-1), 1.0)


def make_loss(multilabel: bool) -> keras.losses.Loss:
    """Return the training loss: softmax cross-entropy on class indices, or the masked sigmoid one."""
    if multilabel:
        return MaskedBinaryCrossentropy(name="loss")
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True, name="loss")


def probabilities(logits: np.ndarray, multilabel: bool) -> np.ndarray:
    """Turn logits, float of shape (cases, classes), into float64 probabilities of the same shape."""
    logits = np.asarray(logits, np.float64)
    if multilabel:
        return 0.5 * (1 + np.tanh(0.5 * logits))
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def mean_loss(logits: np.ndarray, targets: np.ndarray, multilabel: bool) -> float:
    """Return the unweighted mean loss of known cases in float64; the same losses as `make_loss`."""
    logits = np.asarray(logits, np.float64)
    if multilabel:
        known = ~np.isnan(targets)
        target = np.where(known, targets, 0)
        each = np.maximum(logits, 0) - logits * target + np.log1p(np.exp(-np.abs(logits)))
        return float(np.mean((each * known).sum(1) / np.maximum(known.sum(1), 1)))
    top = logits.max(axis=1)
    total = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
    return float(np.mean(total - logits[np.arange(len(targets)), targets]))
