"""A strategy is a list of phases; entering one sets what trains, a fresh optimizer and compiles."""

from __future__ import annotations

from dataclasses import dataclass

import keras

from keras_radtl.config import TrainingConfig
from keras_radtl.strategies.optimizers import make_optimizer


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs in which the same layers train.

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


def compile_phase(model: keras.Model, phase: Phase, training: TrainingConfig, loss, rates=None) -> None:
    """Compile a model whose flags are set for `phase`, with a fresh optimizer.

    Keras reads `trainable` when a step is traced, so flags changed after `compile` have no effect; and an optimizer
    knows only the variables it was built with. Momentum therefore restarts with each phase. Small gradients would be
    lost in float16: there the loss is scaled up and the gradients down again before the optimizer sees them.

    Args:
        model: the classifier, or its upper part.
        phase: gives the first learning rate.
        training: optimizer and decay.
        loss: on (targets, logits).
        rates: factors of the learning rate by variable (see `learning_rates.py`), or None.
    Raises:
        RuntimeError: when the optimizer holds other variables than the model trains.
    """
    optimizer = make_optimizer(training, phase.learning_rate)
    optimizer.set_multipliers(rates)
    scaled = keras.optimizers.LossScaleOptimizer(optimizer) if training.precision == "mixed_float16" else optimizer
    model.compile(optimizer=scaled, loss=loss, weighted_metrics=[], jit_compile="auto", auto_scale_loss=False)
    model.optimizer.build(model.trainable_variables)
    held = {variable.path for variable in optimizer._trainable_variables}
    if held != {variable.path for variable in model.trainable_variables}:
        raise RuntimeError(f"the optimizer of phase `{phase.name}` does not hold what the phase trains")
