"""The strategies by name: which phases they have, what pulls their weights and how learning rates differ by layer.

A strategy is resolved in two steps. `outline_phases` needs only the names of the layer groups, so that a configuration
that cannot work is refused before anything is built; `resolve_phases` looks up the layers in a classifier.

Reference: Davila, Colan and Hasegawa, Comparison of fine-tuning strategies for transfer learning in medical image
classification, section 3.1 (FTS below), and the works it cites.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from keras_radtl.config import TrainingConfig, UserError
from keras_radtl.models.groups import layer_groups, trainable_layers
from keras_radtl.strategies.phases import Phase

if TYPE_CHECKING:
    import pandas as pd

Unfreeze = str | tuple[str, ...]  # `none`, `all`, `topN` or `layers:N`; or names of layer groups
Step = tuple[str, Unfreeze]  # name of a phase, and what trains beside the head


class PhaseOutline(NamedTuple):
    """A phase before its layers are known.

    Attributes:
        name: for the history, such as `classifier` or `all`.
        unfreeze: what trains beside the head: a word of `training.unfreeze`, or names of layer groups.
        epochs: planned epochs, at least 1.
        learning_rate: of the first epoch.
    """

    name: str
    unfreeze: Unfreeze
    epochs: int
    learning_rate: float


@dataclass(frozen=True)
class Strategy:
    """One row of `STRATEGIES`.

    Attributes:
        title: what it does, in a few words.
        steps: function (names of the layer groups with weights, value of `training.unfreeze`) -> list of steps.
        share: share of the epochs for the first of two phases; more phases have equal shares.
        penalty: norm of the penalty on the distance to the starting point, 1 or 2; None: no penalty.
        auto_rates: whether learning rates follow relative gradient norms.
    """

    title: str
    steps: Callable[[Sequence[str], str], list[Step]]
    share: float = 0.5
    penalty: int | None = None
    auto_rates: bool = False


def _fixed(groups: Sequence[str], unfreeze: str) -> list[Step]:
    return [("fixed", unfreeze)]


def _full(groups: Sequence[str], unfreeze: str) -> list[Step]:
    return [("all", "all")]


def _probe(groups: Sequence[str], unfreeze: str) -> list[Step]:
    return [("classifier", "none")]


def _probe_then_full(groups: Sequence[str], unfreeze: str) -> list[Step]:
    return _probe(groups, unfreeze) + _full(groups, unfreeze)


def _last_to_first(groups: Sequence[str], unfreeze: str) -> list[Step]:
    opened = [(groups[i], tuple(groups[i:])) for i in reversed(range(len(groups)))]
    return _probe(groups, unfreeze) + opened


def _first_to_last(groups: Sequence[str], unfreeze: str) -> list[Step]:
    return [(groups[i], tuple(groups[: i + 1])) for i in range(len(groups))]


REFERENCE_STRATEGY = "ft"  # the one that the study compares the others with
STRATEGIES: dict[str, Strategy] = {
    "fixed": Strategy("the layers of `unfreeze` and the head", _fixed),
    "ft": Strategy("full fine-tuning: everything trains (FTS 3.1.1)", _full),
    "lp": Strategy("linear probing: only the head trains (FTS 3.1.2)", _probe),
    "g_lf": Strategy("gradual unfreezing from the last group to the first (FTS 3.1.3)", _last_to_first),
    "g_fl": Strategy("gradual unfreezing from the first group to the last, with the head (FTS 3.1.4)", _first_to_last),
    "lp_ft": Strategy("linear probing, then full fine-tuning (FTS 3.1.5)", _probe_then_full, share=1 / 3),
    "l1_sp": Strategy("full fine-tuning with an L1 penalty on the distance to the start (FTS 3.1.6)", _full, penalty=1),
    "l2_sp": Strategy("full fine-tuning with an L2 penalty on the distance to the start (FTS 3.1.7)", _full, penalty=2),
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


def list_strategies() -> pd.DataFrame:
    """Return the fine-tuning strategies, indexed by name, with the column `title`."""
    import pandas as pd

    rows = {name: {"title": strategy.title} for name, strategy in STRATEGIES.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("strategy")


def outline_phases(training: TrainingConfig, groups: Sequence[str]) -> tuple[PhaseOutline, ...]:
    """Return the phases of the configured strategy.

    The epochs are those of `phase_epochs`. Without it `epochs` is divided: `lp_ft` gives a third to the probe, gradual
    unfreezing equal parts, at least one epoch per phase; the last phase gets the remainder.

    Args:
        training: strategy, epochs and learning rate.
        groups: names of the layer groups that hold weights, from input to output.
    Raises:
        UserError: when `phase_epochs` does not have one number per phase, or there are fewer epochs than phases.
    """
    strategy = get_strategy(training.strategy)
    steps = strategy.steps(groups, training.unfreeze)
    epochs = training.phase_epochs or _divide(training.epochs, len(steps), strategy.share)
    if len(epochs) != len(steps):
        names = ", ".join(name for name, _ in steps)
        raise UserError(f"`phase_epochs` must have {len(steps)} numbers, for {names}. Received: {len(epochs)}")
    rate = training.learning_rate
    return tuple(
        PhaseOutline(name, unfreeze, count, rate) for (name, unfreeze), count in zip(steps, epochs, strict=True)
    )


def resolve_phases(model, outlines: Sequence[PhaseOutline], counting: str) -> list[Phase]:
    """Look up the layers of each phase in a classifier.

    Args:
        model: keras.Model as made by `build_classifier`.
        outlines: from `outline_phases`.
        counting: of the layer groups.
    Raises:
        UserError: when the classifier lacks the layers that are to train.
    """
    groups = {group.name: group.layers for group in layer_groups(model, counting)}

    def layers(unfreeze: Unfreeze) -> frozenset[str]:
        if isinstance(unfreeze, str):
            return frozenset(trainable_layers(model, unfreeze, counting))
        return frozenset(layer for name in unfreeze for layer in groups[name])

    return [Phase(o.name, layers(o.unfreeze), o.epochs, o.learning_rate) for o in outlines]


def group_factors(training: TrainingConfig, groups: Sequence[str]) -> tuple[float, ...]:
    """Return the learning-rate multipliers of the head, the last group, the one before and so on; () when all are 1.

    Args:
        training: with `group_rates` or `group_decay`.
        groups: names of the layer groups that hold weights.
    Raises:
        UserError: when there are more factors than groups, or the strategy sets the rates itself.
    """
    count = 1 + len(groups)
    given = "group_rates" if training.group_rates else "group_decay" if training.group_decay != 1 else ""
    if given and get_strategy(training.strategy).auto_rates:
        raise UserError(f"`{given}` cannot be used with strategy {training.strategy}, which sets the rates itself")
    if len(training.group_rates) > count:
        rule = f"at most {count} factors, for the head and {count - 1} groups"
        raise UserError(f"`group_rates` must have {rule}. Received: {len(training.group_rates)}")
    if given == "group_decay":
        return tuple(training.group_decay**i for i in range(count))
    return training.group_rates


def _divide(epochs: int, phases: int, share: float) -> list[int]:
    if epochs < phases:
        rule = f"at least {phases}, one for each phase of the strategy"
        raise UserError(f"`epochs` must be {rule}. Received: epochs={epochs}")
    each = max(1, round(epochs * share)) if phases == 2 else epochs // phases
    parts = [each] * (phases - 1)
    return [*parts, epochs - sum(parts)]
