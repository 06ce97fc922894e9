"""Names and settings of the optimizers; their classes are in `optimizer_classes`, which imports TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keras_radtl.config import TrainingConfig, UserError

if TYPE_CHECKING:
    import keras

OPTIMIZERS = {"adam": "Adam", "adamw": "AdamW", "radam": "RAdam", "sgd": "SGD"}  # class names
EPSILON = 1e-8  # for the Adam family, as in PyTorch


@dataclass(frozen=True)
class OptimizerSettings:
    """The settings of an optimizer, without its learning rate.

    Attributes:
        kind: Name of the class in `optimizer_classes`.
        momentum: Momentum of SGD, in [0, 1). Nesterov momentum is used if it is positive.
        weight_decay: Decoupled weight decay (w -= learning_rate * weight_decay * w).
        coupled_weight_decay: Coupled weight decay (coupled_weight_decay * w is added to the gradient).
        decay_bias_and_norm: Whether weight decay also applies to biases and normalization layers.
    """

    kind: str
    momentum: float
    weight_decay: float
    coupled_weight_decay: float
    decay_bias_and_norm: bool


def get_optimizer(name: str) -> str:
    """Return the class name of an optimizer.

    Args:
        name: "adam", "adamw", "radam" or "sgd", in upper or lower case.

    Raises:
        UserError: If the name is unknown; the message lists the known names.
    """
    if name.lower() not in OPTIMIZERS:
        raise UserError(f"Unknown optimizer {name!r}. Known: {', '.join(OPTIMIZERS)}")
    return OPTIMIZERS[name.lower()]


def optimizer_settings(training: TrainingConfig) -> OptimizerSettings:
    """Return the optimizer settings of a configuration.

    Args:
        training: The training section of a configuration.

    Raises:
        UserError: If the optimizer is unknown, or is AdamW with coupled weight decay.
    """
    kind, decay = get_optimizer(training.optimizer), training.weight_decay
    coupled = training.weight_decay_mode == "coupled" and decay > 0
    if coupled and kind == "AdamW":
        raise UserError("AdamW has decoupled weight decay; for coupled weight decay, use `optimizer='adam'`")
    momentum = training.momentum if kind == "SGD" else 0.0
    return OptimizerSettings(
        kind, momentum, 0.0 if coupled else decay, decay if coupled else 0.0, training.decay_bias_and_norm
    )


def make_optimizer(settings: OptimizerSettings, learning_rate: float) -> keras.optimizers.Optimizer:
    """Return a new optimizer, with empty slots and at step 0."""
    from keras_radtl.strategies import optimizer_classes

    sgd = settings.kind == "SGD"
    options = {"nesterov": settings.momentum > 0, "momentum": settings.momentum} if sgd else {"epsilon": EPSILON}
    return getattr(optimizer_classes, settings.kind)(
        learning_rate=learning_rate,
        weight_decay=settings.weight_decay,
        coupled_weight_decay=settings.coupled_weight_decay,
        decay_bias_and_norm=settings.decay_bias_and_norm,
        **options,
    )
