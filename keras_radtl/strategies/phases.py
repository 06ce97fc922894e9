"""A strategy is a list of phases; entering one sets what trains, a fresh optimizer and compiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras

from keras_radtl.config import Config, TrainingConfig, UserError
from keras_radtl.models.groups import set_trainable, trainable_layers
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


def fixed(model: keras.Model, config: Config) -> list[Phase]:
    """Return the one phase of `unfreeze`: the same layers train from the first epoch to the last."""
    training = config.training
    layers = frozenset(trainable_layers(model, config.model, training.unfreeze, training.counting))
    return [Phase("fixed", layers, training.epochs, training.learning_rate)]


STRATEGIES: dict[str, Callable[..., list[Phase]]] = {"fixed": fixed}


def get_strategy(name: str) -> Callable[..., list[Phase]]:
    """Return the function that lists the phases of a strategy.

    Raises:
        UserError: for an unknown name, with the known ones.
    """
    if name not in STRATEGIES:
        raise UserError(f"Unknown strategy `{name}`. Known: {', '.join(STRATEGIES)}")
    return STRATEGIES[name]


def plan_phases(model: keras.Model, config: Config) -> list[Phase]:
    """Return the phases of the configured strategy for a classifier."""
    return get_strategy(config.training.strategy)(model, config)


def enter_phase(model: keras.Model, phase: Phase, config: TrainingConfig, loss) -> None:
    """Make exactly the layers of `phase` and the head trainable and compile with a fresh optimizer.

    Keras reads `trainable` when a step is traced, so flags changed after `compile` have no effect; and an optimizer
    knows only the variables it was built with. Momentum therefore restarts with each phase.

    Raises:
        RuntimeError: when the optimizer holds other variables than the phase trains.
    """
    set_trainable(model, phase.layers)
    optimizer = make_optimizer(config, phase.learning_rate)
    model.compile(optimizer=optimizer, loss=loss, weighted_metrics=[], jit_compile="auto")
    optimizer.build(model.trainable_variables)
    if {v.path for v in optimizer._trainable_variables} != {v.path for v in model.trainable_variables}:
        raise RuntimeError(f"the optimizer of phase `{phase.name}` does not hold what the phase trains")
