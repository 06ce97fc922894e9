"""The optimizers of Keras with coupled L2 decay, decay that spares biases and norms, and multipliers by variable.

Keras' own `weight_decay` is decoupled in every optimizer (w -= rate * decay * w). The studies trained in PyTorch, where
SGD and Adam add decay * w to the gradient: `coupled_weight_decay` does that. One place, `update_step`, also scales the
learning rate of single variables: the update scales, not the gradient, so it acts under Adam too.
"""

from __future__ import annotations

import math

import keras
import tensorflow as tf
from keras import ops

from keras_radtl.models.keras_internals import OptimizerHooks, adam_slots, optimizer_index, optimizer_variables

register = keras.saving.register_keras_serializable(package="keras_radtl")


class TransferOptimizer(OptimizerHooks):
    """What our optimizers add to those of Keras; mixed in before one of them.

    Args:
        coupled_weight_decay: float >= 0, times the variable added to its gradient (torch's `weight_decay` of SGD and
            Adam).
        decay_bias_and_norm: whether variables of one axis (biases, BatchNorm scales) decay too, in either mode.
        kwargs: those of the Keras optimizer.
    """

    def __init__(self, *, coupled_weight_decay: float = 0.0, decay_bias_and_norm: bool = True, **kwargs):
        super().__init__(**kwargs)
        self.coupled_weight_decay = coupled_weight_decay
        self.decay_bias_and_norm = decay_bias_and_norm
        self._multipliers = None

    def set_multipliers(self, rates) -> None:
        """Set `rates`, an object with `scale(variable)` and `observe(gradients, variables)`; see `learning_rates.py`."""
        self._multipliers = rates

    def decays(self, variable) -> bool:
        """Return whether weight decay applies to a variable."""
        return self.decay_bias_and_norm or len(variable.shape) > 1

    def apply(self, grads, trainable_variables=None):
        if self._multipliers is not None:
            self._multipliers.observe(grads, trainable_variables or optimizer_variables(self))
        return super().apply(grads, trainable_variables)

    def sum_over_replicas(self, grads_and_vars):
        """Return gradients as they are when there are no replicas to sum over.

        TensorFlow's sum registers a gradient of its own at every trace, for the life of the process, and with it the
        graph and all variables: a process that trains one model after the other grows by every one of them
        (tensorflow issue 80895).
        """
        alone = tf.distribute.get_strategy().num_replicas_in_sync == 1
        return list(grads_and_vars) if alone else super().sum_over_replicas(grads_and_vars)

    def update_step(self, gradient, variable, learning_rate):
        if self.coupled_weight_decay and self.decays(variable):
            gradient = gradient + self.coupled_weight_decay * ops.cast(variable, gradient.dtype)
        super().update_step(gradient, variable, self._scaled(learning_rate, variable))

    def decay(self, variables) -> None:
        """Apply decoupled weight decay, with the multiplied learning rate of each variable."""
        if self._multipliers is None or not self.weight_decay:
            super().decay(variables)
            return
        for variable in filter(self.decays, variables):
            rate = ops.cast(self._scaled(self.learning_rate, variable), variable.dtype)
            variable.assign(variable - variable * ops.cast(self.weight_decay, variable.dtype) * rate)

    def _scaled(self, learning_rate, variable):
        if self._multipliers is None:
            return learning_rate
        held = optimizer_variables(self)[optimizer_index(self, variable)]  # Keras gives the bare TensorFlow variable
        return learning_rate * self._multipliers.scale(held)

    def get_config(self) -> dict:
        own = {"coupled_weight_decay": self.coupled_weight_decay, "decay_bias_and_norm": self.decay_bias_and_norm}
        return {**super().get_config(), **own}


class _OnePass:
    """The update of Adam as one kernel of TensorFlow; Keras makes ten passes over the variable and its slots.

    The formula is that of Keras, so results differ by rounding alone.
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
class Adam(TransferOptimizer, _OnePass, keras.optimizers.Adam):
    """Adam (Kingma and Ba, 2015) of Keras with the options of `TransferOptimizer`."""


@register
class AdamW(TransferOptimizer, _OnePass, keras.optimizers.AdamW):
    """AdamW (Loshchilov and Hutter, 2019) of Keras with the options of `TransferOptimizer`."""


@register
class SGD(TransferOptimizer, keras.optimizers.SGD):
    """SGD with momentum of Keras with the options of `TransferOptimizer`."""


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
        safe = ops.maximum(length, 5.0)  # the square root below exists from 4 on
        rectifier = ops.sqrt((safe - 4) * (safe - 2) * longest / ((longest - 4) * (longest - 2) * safe))
        adaptive = rectifier * ops.sqrt(bias_2) / (ops.sqrt(square) + self.epsilon)
        direction = ops.where(length > 5, adaptive, ops.ones_like(adaptive))
        self.assign_sub(variable, rate * mean / bias_1 * direction)


@register
class RAdam(TransferOptimizer, _Rectified):
    """Rectified Adam: the adaptive part waits until its variance can be estimated.

    Reference: Liu et al., On the Variance of the Adaptive Learning Rate and Beyond, ICLR 2020, Algorithm 2.
    """
