"""Losses on logits: softmax for one class per case, sigmoid for several labels per case, both also as focal loss.

Focal loss multiplies the cross-entropy by (1 - p)^gamma, where p is the probability of the true class, so that cases
that are already classified well have less weight. With gamma = 0 it equals cross-entropy. The factor is computed from
the logits, because the difference 1 - p would lose precision.

Reference: Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, equations 4 and 5.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike

register = keras.saving.register_keras_serializable(package="keras_radtl")


@register
class SparseFocalCrossentropy(keras.losses.Loss):
    """Softmax focal loss.

    Call it with `y_true`, int of shape (batch,), and `y_pred`, logits of shape (batch, n_classes), for at least two
    classes.

    Args:
        gamma: Exponent >= 0.
        **kwargs: Arguments of `keras.losses.Loss`.
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
    """Mean sigmoid cross-entropy over the known labels of each case.

    Call it with `y_true`, float of shape (batch, n_labels) with 0, 1 or NaN for unknown labels, and `y_pred`, logits of
    the same shape. The loss of a case without known labels is 0.

    Args:
        gamma: Exponent >= 0 of the focal loss; 0 means cross-entropy.
        label_weights: For each label, the weights of its absence and presence. None means 1.
        **kwargs: Arguments of `keras.losses.Loss`.
    """

    def __init__(self, gamma: float = 0.0, label_weights: ArrayLike | None = None, **kwargs):
        super().__init__(**kwargs)
        self.gamma = gamma
        self.label_weights = None if label_weights is None else np.asarray(label_weights, float).tolist()

    def call(self, y_true, y_pred):
        y_pred = ops.cast(y_pred, "float32")
        y_true = ops.cast(y_true, "float32")
        known = ops.logical_not(ops.isnan(y_true))
        target = ops.where(known, y_true, 0.0)
        each = ops.softplus((1 - 2 * target) * y_pred)  # its gradient is also correct at a logit of 0
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
    """Return the training loss: softmax on class indices, or masked sigmoid on labels.

    Args:
        multilabel: Whether a case can have several labels.
        gamma: Exponent >= 0 of the focal loss; 0 means cross-entropy.
        label_weights: float array of shape (n_labels, 2), weights of the absence and presence of each label. Only
            used if `multilabel`.
    """
    if multilabel:
        return MaskedBinaryCrossentropy(gamma, label_weights, name="loss")
    if gamma:
        return SparseFocalCrossentropy(gamma, name="loss")
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True, name="loss")
