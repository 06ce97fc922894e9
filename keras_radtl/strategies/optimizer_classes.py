"""Keras optimizers with coupled weight decay and a learning-rate multiplier for each variable.

In Keras, weight decay is decoupled in every optimizer (w -= learning_rate * weight_decay * w). In PyTorch, which the
reproduced studies used, SGD and Adam add weight_decay * w to the gradient; `coupled_weight_decay` does the same.
Multipliers scale the update, not the gradient, so they also work with Adam.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf
from keras import ops

from keras_radtl.models.keras_internals import OptimizerHooks, adam_slots, optimizer_index, optimizer_variables

if TYPE_CHECKING:
    from keras_radtl.strategies.layer_rates import Multipliers

register = keras.saving.register_keras_serializable(package="keras_radtl")


class TransferOptimizer(OptimizerHooks):
    """Mixin for Keras optimizers that adds coupled weight decay and learning-rate multipliers.

    Args:
        *args: Positional arguments of the Keras optimizer, such as the learning rate.
        coupled_weight_decay: Factor >= 0 of the variable that is added to its gradient, like `weight_decay` of SGD and
            Adam in PyTorch.
        decay_bias_and_norm: Whether weight decay, coupled or decoupled, also applies to one-dimensional variables
            (biases, BatchNorm scales and offsets).
        **kwargs: Other arguments of the Keras optimizer.
    """

    def __init__(self, *args, coupled_weight_decay: float = 0.0, decay_bias_and_norm: bool = True, **kwargs):
        super().__init__(*args, **kwargs)
        self.coupled_weight_decay = coupled_weight_decay
        self.decay_bias_and_norm = decay_bias_and_norm
        self._multipliers = None

    def set_multipliers(self, multipliers: Multipliers | None) -> None:
        """Set the learning-rate multipliers; None means no multipliers."""
        self._multipliers = multipliers

    def uses_weight_decay(self, variable: Any) -> bool:
        """Return whether weight decay applies to a variable."""
        return self.decay_bias_and_norm or len(variable.shape) > 1

    def apply(self, grads: list, trainable_variables: list | None = None) -> Any:
        if self._multipliers is not None:
            self._multipliers.observe(grads, trainable_variables or optimizer_variables(self))
        return super().apply(grads, trainable_variables)

    def sum_over_replicas(self, grads_and_vars: list[tuple]) -> list[tuple]:
        """Return the gradients summed over all replicas, or unchanged if there is only one.

        For the sum, TensorFlow registers a gradient function at every trace and never releases it, nor the graph and
        the variables it refers to. A process that trains several models would keep all of them in memory (TensorFlow
        issue 80895).
        """
        single = tf.distribute.get_strategy().num_replicas_in_sync == 1
        return list(grads_and_vars) if single else super().sum_over_replicas(grads_and_vars)

    def update_step(self, gradient, variable, learning_rate):
        if self.coupled_weight_decay and self.uses_weight_decay(variable):
            gradient = gradient + self.coupled_weight_decay * ops.cast(variable, gradient.dtype)
        super().update_step(gradient, variable, self._scaled(learning_rate, variable))

    def apply_weight_decay(self, variables: list) -> None:
        """Apply decoupled weight decay with the multiplied learning rate of each variable."""
        if self._multipliers is None or not self.weight_decay:
            super().apply_weight_decay(variables)
            return
        for variable in filter(self.uses_weight_decay, variables):
            rate = ops.cast(self._scaled(self.learning_rate, variable), variable.dtype)
            variable.assign(variable - variable * ops.cast(self.weight_decay, variable.dtype) * rate)

    def _scaled(self, learning_rate, variable):
        if self._multipliers is None:
            return learning_rate
        keras_variable = optimizer_variables(self)[
            optimizer_index(self, variable)
        ]  # Keras passes a TensorFlow variable
        return learning_rate * self._multipliers.scale(keras_variable)

    def get_config(self) -> dict:
        own = {"coupled_weight_decay": self.coupled_weight_decay, "decay_bias_and_norm": self.decay_bias_and_norm}
        return {**super().get_config(), **own}


class _FusedAdam:
    """The update of Adam in one fused TensorFlow kernel; Keras makes ten passes over the variable and its slots.

    The formula is the same as in Keras, so results differ only by rounding.
    """

    def update_step(self, gradient, variable, learning_rate):
        mean, square = adam_slots(self, variable)
        kind = variable.dtype
        step = ops.cast(self.iterations + 1, kind)
        beta_1, beta_2 = ops.cast(self.beta_1, kind), ops.cast(self.beta_2, kind)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=mean.value.handle,
            v=square.value.handle,
            beta1_power=ops.power(beta_1, step),
            beta2_power=ops.power(beta_2, step),
            lr=ops.cast(learning_rate, kind),
            beta1=beta_1,
            beta2=beta_2,
            epsilon=ops.cast(self.epsilon, kind),
            grad=ops.cast(gradient, kind),
        )


@register
class Adam(TransferOptimizer, _FusedAdam, keras.optimizers.Adam):
    """Adam (Kingma and Ba, 2015) with the options of `TransferOptimizer`."""


@register
class AdamW(TransferOptimizer, _FusedAdam, keras.optimizers.AdamW):
    """AdamW (Loshchilov and Hutter, 2019) with the options of `TransferOptimizer`."""


@register
class SGD(TransferOptimizer, keras.optimizers.SGD):
    """SGD with momentum and the options of `TransferOptimizer`."""


class _Rectified(keras.optimizers.Adam):
    def update_step(self, gradient, variable, learning_rate):
        rate, gradient = ops.cast(learning_rate, variable.dtype), ops.cast(gradient, variable.dtype)
        step = ops.cast(self.iterations + 1, "float32")
        bias_1, bias_2 = (-ops.expm1(step * math.log(beta)) for beta in (self.beta_1, self.beta_2))  # exact in float32
        mean, square = adam_slots(self, variable)
        self.assign_add(mean, (gradient - mean) * (1 - self.beta_1))
        self.assign_add(square, (ops.square(gradient) - square) * (1 - self.beta_2))
        longest = 2 / (1 - self.beta_2) - 1
        length = longest - 2 * step * (1 - bias_2) / bias_2
        safe = ops.maximum(length, 5.0)  # the square root below is defined from 4 on
        rectifier = ops.sqrt((safe - 4) * (safe - 2) * longest / ((longest - 4) * (longest - 2) * safe))
        adaptive = rectifier * ops.sqrt(bias_2) / (ops.sqrt(square) + self.epsilon)
        direction = ops.where(length > 5, adaptive, ops.ones_like(adaptive))
        self.assign_sub(variable, rate * mean / bias_1 * direction)


@register
class RAdam(TransferOptimizer, _Rectified):
    """Rectified Adam, which uses adaptive learning rates only once their variance can be estimated.

    It has the options of `TransferOptimizer`.

    Reference: Liu et al., On the Variance of the Adaptive Learning Rate and Beyond, ICLR 2020, Algorithm 2.
    """
