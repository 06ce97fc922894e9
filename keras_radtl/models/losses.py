"""Losses on logits: softmax for one label a case, sigmoid for several, unknown labels left out; both also as focal loss.

Focal loss multiplies the cross-entropy of a class by (1 - p)^gamma, p being its probability, so that cases that are
already right count less; gamma 0 is cross-entropy. Its factor is computed from logits, without the difference 1 - p.

Reference: Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, equations 4 and 5.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

register = keras.saving.register_keras_serializable(package="keras_radtl")


@register
class SparseFocalCrossentropy(keras.losses.Loss):
    """Softmax focal loss; call with `y_true` int of shape (batch,) and `y_pred` logits (batch, classes >= 2).

    Args:
        gamma: float >= 0.
        kwargs: those of `keras.losses.Loss`.
    """

    def __init__(self, gamma: float = 2.0, **kwargs):
        super().__init__(**kwargs)
        self.gamma = gamma

    def call(self, y_true, y_pred):
        y_pred = ops.cast(y_pred, "float32")
        chosen = ops.one_hot(ops.cast(ops.reshape(y_true, (-1,)), "int32"), y_pred.shape[-1], dtype="float32")
        total = ops.logsumexp(y_pred, axis=-1)
        others = ops.logsumexp(ops.where(chosen > 0, -1e30, y_pred), axis=-1)
        return ops.exp(self.gamma * (others - total)) * (total - ops.sum(chosen * y_pred, axis=-1))

    def get_config(self):
        return {**super().get_config(), "gamma": self.gamma}


@register
class MaskedBinaryCrossentropy(keras.losses.Loss):
    """Mean sigmoid cross-entropy over the labels of a case that are known; NaN is an unknown label.

    Call with `y_true` float of shape (batch, labels) with 0, 1 or NaN and `y_pred` logits of the same shape. A case
    without a known label has loss 0.

    Args:
        gamma: float >= 0, of the focal loss; 0 is cross-entropy.
        label_weights: list of (weight where absent, weight where present), one pair a label; None: ones.
        kwargs: those of `keras.losses.Loss`.
    """

    def __init__(self, gamma: float = 0.0, label_weights=None, **kwargs):
        super().__init__(**kwargs)
        self.gamma = gamma
        self.label_weights = None if label_weights is None else [[float(w) for w in pair] for pair in label_weights]

    def call(self, y_true, y_pred):
        y_pred = ops.cast(y_pred, "float32")
        y_true = ops.cast(y_true, "float32")
        known = ops.logical_not(ops.isnan(y_true))
        target = ops.where(known, y_true, 0.0)
        each = ops.softplus((1 - 2 * target) * y_pred)  # whose gradient is right at a logit of 0 too
        if self.gamma:
            each = each * ops.exp(-self.gamma * ops.softplus(y_pred * (2 * target - 1)))
        if self.label_weights is not None:
            absent, present = ops.unstack(ops.convert_to_tensor(self.label_weights, "float32"), axis=1)
            each = each * ops.where(target > 0.5, present, absent)
        weight = ops.cast(known, "float32")
        return ops.sum(each * weight, axis=-1) / ops.maximum(ops.sum(weight, axis=-1), 1.0)

    def get_config(self):
        return {**super().get_config(), "gamma": self.gamma, "label_weights": self.label_weights}


def make_loss(multilabel: bool, gamma: float = 0.0, label_weights: np.ndarray | None = None) -> keras.losses.Loss:
    """Return the training loss: by softmax on class indices, or the masked one by sigmoid.

    Args:
        multilabel: bool, whether a case may have several labels.
        gamma: float >= 0, exponent of the focal loss; 0 is cross-entropy.
        label_weights: float (labels, 2), weights where a label is absent and present; for `multilabel` alone.
    """
    if multilabel:
        return MaskedBinaryCrossentropy(gamma, label_weights, name="loss")
    if gamma:
        return SparseFocalCrossentropy(gamma, name="loss")
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True, name="loss")
