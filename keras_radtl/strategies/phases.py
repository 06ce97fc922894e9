"""A strategy is a list of phases; entering one sets what trains, makes a new optimizer and compiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keras_radtl.strategies.optimizers import OptimizerSettings, make_optimizer

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Phase:
    """Consecutive epochs in which the same layers train.

    Attributes:
        name: for the history, such as `classifier` or `all`.
        layers: names of the backbone layers that train; the head always does.
        epochs: planned epochs, at least 1.
        learning_rate: of the first epoch; the schedule runs over the phase.
    """

    name: str
    layers: frozenset[str]
    epochs: int
    learning_rate: float


def compile_phase(
    model: keras.Model, phase: Phase, settings: OptimizerSettings, loss, multipliers=None, scale_loss: bool = False
) -> None:
    """Compile a model whose `trainable` flags are set for `phase`, with a new optimizer.

    Keras reads `trainable` when a step is traced, so flags changed after `compile` have no effect; and an optimizer
    knows only the variables it was built with. Momentum therefore restarts with each phase.

    Args:
        model: the classifier, or its upper part.
        phase: gives the first learning rate.
        settings: of the optimizer.
        loss: function of (targets, logits).
        multipliers: of the learning rate by variable (see `layer_rates.py`), or None.
        scale_loss: scale the loss up and the gradients down again before the optimizer sees them, since small
            gradients would be lost in float16.
    Raises:
        RuntimeError: when the optimizer holds other variables than the model trains.
    """
    import keras

    from keras_radtl.models.keras_internals import optimizer_variables

    optimizer = make_optimizer(settings, phase.learning_rate)
    optimizer.set_multipliers(multipliers)
    scaled = keras.optimizers.LossScaleOptimizer(optimizer) if scale_loss else optimizer
    model.compile(optimizer=scaled, loss=loss, weighted_metrics=[], jit_compile="auto", auto_scale_loss=False)
    model.optimizer.build(model.trainable_variables)
    held = {variable.path for variable in optimizer_variables(optimizer)}
    if held != {variable.path for variable in model.trainable_variables}:
        raise RuntimeError(f"the optimizer of phase `{phase.name}` does not hold what the phase trains")
