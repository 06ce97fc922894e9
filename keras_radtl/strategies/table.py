"""The strategies by name: which phases they have, what pulls their weights and how rates differ by layer.

Reference: Davila, Colan and Hasegawa, Comparison of fine-tuning strategies for transfer learning in medical image
classification, section 3.1 (FTS below), and the works it names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from keras_radtl.config import TrainingConfig, UserError
from keras_radtl.models.groups import layer_groups, trainable_layers
from keras_radtl.strategies.phases import Phase


@dataclass(frozen=True)
class Strategy:
    """One row of `STRATEGIES`.

    Attributes:
        title: what it does, in a few words.
        steps: function (model, training configuration) -> list of (phase name, backbone layers that train).
        share: share of the epochs for the first of two phases; more phases have equal shares.
        penalty: norm of the pull to the starting point, 1 or 2; None: no pull.
        auto_rates: whether learning rates follow relative gradient norms.
    """

    title: str
    steps: Callable[..., list[tuple[str, frozenset[str]]]]
    share: float = 0.5
    penalty: int | None = None
    auto_rates: bool = False


def _fixed(model, training: TrainingConfig):
    return [("fixed", frozenset(trainable_layers(model, training.unfreeze, training.counting)))]


def _full(model, training: TrainingConfig):
    return [("all", frozenset(trainable_layers(model, "all", training.counting)))]


def _probe(model, training: TrainingConfig):
    return [("classifier", frozenset())]


def _probe_then_full(model, training: TrainingConfig):
    return _probe(model, training) + _full(model, training)


def _weighted_groups(model, training: TrainingConfig):
    return [group for group in layer_groups(model, training.counting) if group.parameters]


def _last_to_first(model, training: TrainingConfig):
    steps, joined = _probe(model, training), frozenset()
    for group in reversed(_weighted_groups(model, training)):
        joined |= frozenset(group.layers)
        steps.append((group.name, joined))
    return steps


def _first_to_last(model, training: TrainingConfig):
    steps, joined = [], frozenset()
    for group in _weighted_groups(model, training):
        joined |= frozenset(group.layers)
        steps.append((group.name, joined))
    return steps


STRATEGIES: dict[str, Strategy] = {
    "fixed": Strategy("the layers of `unfreeze` and the head", _fixed),
    "ft": Strategy("full fine-tuning: everything trains (FTS 3.1.1)", _full),
    "lp": Strategy("linear probing: only the head trains (FTS 3.1.2)", _probe),
    "g_lf": Strategy("gradual unfreezing from the last group to the first (FTS 3.1.3)", _last_to_first),
    "g_fl": Strategy("gradual unfreezing from the first group to the last, with the head (FTS 3.1.4)", _first_to_last),
    "lp_ft": Strategy("linear probing, then full fine-tuning (FTS 3.1.5)", _probe_then_full, share=1 / 3),
    "l1_sp": Strategy("full fine-tuning, pulled to its start by the 1-norm (FTS 3.1.6)", _full, penalty=1),
    "l2_sp": Strategy("full fine-tuning, pulled to its start by the squared 2-norm (FTS 3.1.7)", _full, penalty=2),
    "auto_rgn": Strategy("full fine-tuning, rates by relative gradient norm (FTS 3.1.8)", _full, auto_rates=True),
}


def get_strategy(name: str) -> Strategy:
    """Return a strategy by name.

    Raises:
        UserError: for an unknown name, with the known ones.
    """
    if name not in STRATEGIES:
        raise UserError(f"Unknown strategy `{name}`. Known: {', '.join(STRATEGIES)}")
    return STRATEGIES[name]


def plan_phases(model, training: TrainingConfig) -> list[Phase]:
    """Return the phases of the configured strategy for a classifier.

    Epochs are those of `phase_epochs`; without it `epochs` is divided: `lp_ft` gives a third to the probe, gradual
    unfreezing equal parts, at least one epoch a phase; what is left over goes to the last phase.

    Raises:
        UserError: when `phase_epochs` does not have one number a phase, or `epochs` is less than the phases.
    """
    strategy = get_strategy(training.strategy)
    steps = strategy.steps(model, training)
    epochs = training.phase_epochs or _divide(training.epochs, len(steps), strategy.share)
    if len(epochs) != len(steps):
        names = ", ".join(name for name, _ in steps)
        raise UserError(f"`phase_epochs` must have {len(steps)} numbers, for {names}. Received: {len(epochs)}")
    return [
        Phase(name, layers, count, training.learning_rate) for (name, layers), count in zip(steps, epochs, strict=True)
    ]


def _divide(epochs: int, phases: int, share: float) -> list[int]:
    if epochs < phases:
        raise UserError(
            f"`epochs` must be at least {phases}, one for each phase of the strategy. Received: epochs={epochs}"
        )
    each = max(1, round(epochs * share)) if phases == 2 else epochs // phases
    parts = [each] * (phases - 1)
    return [*parts, epochs - sum(parts)]
