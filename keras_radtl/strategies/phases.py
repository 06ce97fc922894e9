"""The phases of a strategy; each has its trainable layers and starts with a new optimizer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keras_radtl.strategies.optimizers import OptimizerSettings, make_optimizer

if TYPE_CHECKING:
    import keras

    from keras_radtl.strategies.layer_rates import Multipliers


@dataclass(frozen=True)
class Phase:
    """Consecutive epochs with the same trainable layers.

    Attributes:
        name: Name in the history, such as "classifier" or "all".
        layers: Names of the trainable backbone layers; the head is always trainable.
        epochs: Planned number of epochs, at least 1.
        learning_rate: Learning rate of the first epoch; the schedule starts over in each phase.
    """

    name: str
    layers: frozenset[str]
    epochs: int
    learning_rate: float


def compile_phase(
    model: keras.Model,
    phase: Phase,
    settings: OptimizerSettings,
    loss: keras.losses.Loss | Callable,
    multipliers: Multipliers | None = None,
    scale_loss: bool = False,
) -> None:
    """Compile a model for a phase, with a new optimizer, after its trainable layers have been set.

    A new optimizer is necessary because an optimizer only knows the variables it was built with, and compiling is
    necessary because Keras ignores later changes of `trainable`. Momentum therefore restarts in each phase.

    Args:
        model: The classifier, or the trained part of it.
        phase: The phase.
        settings: Optimizer settings.
        loss: Loss of targets and logits.
        multipliers: Learning-rate multipliers (see `layer_rates`), or None.
        scale_loss: Whether to use loss scaling, which prevents underflow of small gradients in float16.

    Raises:
        RuntimeError: If the variables of the optimizer are not the trainable variables of the model.
    """
    import keras

    from keras_radtl.models.keras_internals import optimizer_variables

    optimizer = make_optimizer(settings, phase.learning_rate)
    optimizer.set_multipliers(multipliers)
    scaled = keras.optimizers.LossScaleOptimizer(optimizer) if scale_loss else optimizer
    model.compile(optimizer=scaled, loss=loss, weighted_metrics=[], jit_compile="auto", auto_scale_loss=False)
    model.optimizer.build(model.trainable_variables)
    updated = {variable.path for variable in optimizer_variables(optimizer)}
    if updated != {variable.path for variable in model.trainable_variables}:
        raise RuntimeError(f"the variables of the optimizer are not the trainable variables of phase {phase.name!r}")
