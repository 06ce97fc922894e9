"""Optimizers by name and their settings; the classes are in `optimizer_classes.py`, which imports TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keras_radtl.config import TrainingConfig, UserError

if TYPE_CHECKING:
    import keras

OPTIMIZERS = {"adam": "Adam", "adamw": "AdamW", "radam": "RAdam", "sgd": "SGD"}  # class names
EPSILON = 1e-8  # of the Adam family, as in PyTorch


@dataclass(frozen=True)
class OptimizerSettings:
    """An optimizer without its learning rate.

    Attributes:
        kind: name of the class in `optimizer_classes.py`.
        momentum: of SGD, in [0, 1); Nesterov's when above 0.
        weight_decay: decoupled decay (w -= rate * decay * w).
        coupled_weight_decay: coupled decay (decay * w is added to the gradient).
        decay_bias_and_norm: whether biases and normalization scales decay too.
    """

    kind: str
    momentum: float
    weight_decay: float
    coupled_weight_decay: float
    decay_bias_and_norm: bool


def get_optimizer(name: str) -> str:
    """Return the class name of an optimizer: adam, adamw, radam or sgd, in any case.

    Raises:
        UserError: for an unknown name, with the known ones.
    """
    if name.lower() not in OPTIMIZERS:
        raise UserError(f"Unknown optimizer `{name}`. Known: {', '.join(OPTIMIZERS)}")
    return OPTIMIZERS[name.lower()]


def optimizer_settings(training: TrainingConfig) -> OptimizerSettings:
    """Return the optimizer settings of a configuration.

    Raises:
        UserError: for an unknown optimizer, or coupled decay with AdamW.
    """
    kind, decay = get_optimizer(training.optimizer), training.weight_decay
    coupled = training.weight_decay_mode == "coupled" and decay > 0
    if coupled and kind == "AdamW":
        raise UserError("AdamW is Adam with decoupled weight decay; for coupled decay use `optimizer` adam")
    momentum = training.momentum if kind == "SGD" else 0.0
    return OptimizerSettings(
        kind, momentum, 0.0 if coupled else decay, decay if coupled else 0.0, training.decay_bias_and_norm
    )


def make_optimizer(settings: OptimizerSettings, learning_rate: float) -> keras.optimizers.Optimizer:
    """Make a new optimizer: its slots are empty and its step count is 0."""
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
