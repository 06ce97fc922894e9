"""The table of fine-tuning strategies: their phases, penalties and learning-rate multipliers.

A strategy is resolved in two steps. `outline_phases` only needs the names of the layer groups, so that an invalid
configuration is refused before a model is built. `resolve_phases` then finds the layers in the classifier.

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
    import keras
    import pandas as pd

    from keras_radtl.strategies.solvers import Solution, Solver

Unfreeze = str | tuple[str, ...]  # "none", "all", "topN" or "layers:N"; or names of layer groups
Step = tuple[str, Unfreeze]  # name of a phase, and what to unfreeze besides the head


class PhaseOutline(NamedTuple):
    """A phase without the names of its layers.

    Attributes:
        name: Name in the history, such as "classifier" or "all".
        unfreeze: What to unfreeze besides the head: a value of `training.unfreeze`, or names of layer groups.
        epochs: Planned number of epochs, at least 1.
        learning_rate: Learning rate of the first epoch.
    """

    name: str
    unfreeze: Unfreeze
    epochs: int
    learning_rate: float


@dataclass(frozen=True)
class Strategy:
    """A fine-tuning strategy.

    Attributes:
        title: Short description.
        steps: Function from the names of the layer groups with weights and the value of `training.unfreeze` to the
            steps, one per phase.
        share: Share of the epochs for the first of two phases. More than two phases have equal shares.
        penalty: Norm of the penalty on the distance to the starting point, 1 or 2. None means no penalty.
        auto_multipliers: Whether relative gradient norms set learning-rate multipliers.
        solver: Function that finds the optimum of a linear head on the features of the frozen backbone (see
            `solvers`), instead of a training by epochs. None means a training.
        baseline: Whether the solver is a statistical baseline: it is fitted on the training cases only, without
            augmentation, for two classes, and may have more features than cases.
    """

    title: str
    steps: Callable[[Sequence[str], str], list[Step]]
    share: float = 0.5
    penalty: int | None = None
    auto_multipliers: bool = False
    solver: Solver | None = None
    baseline: bool = False

    @property
    def held_out(self) -> bool:
        """Whether the solver learns from validation cases, and its inner cross-validation predicts them."""
        return self.solver is not None and not self.baseline


def _fixed(groups: Sequence[str], unfreeze: str) -> list[Step]:
    return [("fixed", unfreeze)]


def _full(groups: Sequence[str], unfreeze: str) -> list[Step]:
    return [("all", "all")]


def _probe(groups: Sequence[str], unfreeze: str) -> list[Step]:
    return [("classifier", "none")]


def _exact(groups: Sequence[str], unfreeze: str) -> list[Step]:
    return [("exact", "none")]


def _solve_probe(*problem) -> Solution:
    from keras_radtl.strategies.probe import solve_probe  # NumPy is not needed to plan a run

    return solve_probe(*problem)


def _solve_lasso(*problem) -> Solution:
    from keras_radtl.strategies.baseline_solvers import solve_lasso

    return solve_lasso(*problem)


def _solve_logistic(*problem) -> Solution:
    from keras_radtl.strategies.baseline_solvers import solve_logistic

    return solve_logistic(*problem)


def _probe_then_full(groups: Sequence[str], unfreeze: str) -> list[Step]:
    return _probe(groups, unfreeze) + _full(groups, unfreeze)


def _last_to_first(groups: Sequence[str], unfreeze: str) -> list[Step]:
    unfrozen = [(groups[i], tuple(groups[i:])) for i in reversed(range(len(groups)))]
    return _probe(groups, unfreeze) + unfrozen


def _first_to_last(groups: Sequence[str], unfreeze: str) -> list[Step]:
    return [(groups[i], tuple(groups[: i + 1])) for i in range(len(groups))]


REFERENCE_STRATEGY = "ft"  # the study compares all others with it
STRATEGIES: dict[str, Strategy] = {
    "fixed": Strategy("train the layers of `unfreeze` and the head in one phase", _fixed),
    "ft": Strategy("full fine-tuning of all layers (FTS 3.1.1)", _full),
    "lp": Strategy("linear probing: train only the head (FTS 3.1.2)", _probe),
    "g_lf": Strategy("gradual unfreezing from the last group to the first (FTS 3.1.3)", _last_to_first),
    "g_fl": Strategy("gradual unfreezing from the first group to the last (FTS 3.1.4)", _first_to_last),
    "lp_ft": Strategy("linear probing, then full fine-tuning (FTS 3.1.5)", _probe_then_full, share=1 / 3),
    "l1_sp": Strategy(
        "full fine-tuning, L1 penalty on the distance to the starting point (FTS 3.1.6)", _full, penalty=1
    ),
    "l2_sp": Strategy(
        "full fine-tuning, L2 penalty on the distance to the starting point (FTS 3.1.7)", _full, penalty=2
    ),
    "auto_rgn": Strategy(
        "full fine-tuning, learning rates by relative gradient norm (FTS 3.1.8)", _full, auto_multipliers=True
    ),
    "probe": Strategy("L2 logistic regression on frozen features, solved exactly", _exact, solver=_solve_probe),
    "lasso": Strategy(
        "logistic lasso on pixels or frozen features, with a certificate", _exact, solver=_solve_lasso, baseline=True
    ),
    "logistic": Strategy(
        "logistic regression by maximum likelihood on pixels or frozen features",
        _exact,
        solver=_solve_logistic,
        baseline=True,
    ),
}


def get_strategy(name: str) -> Strategy:
    """Return a strategy by name.

    Raises:
        UserError: If the name is unknown; the message lists the known names.
    """
    if name not in STRATEGIES:
        raise UserError(f"Unknown strategy {name!r}. Known: {', '.join(STRATEGIES)}")
    return STRATEGIES[name]


def initial_solver(initial_head: str) -> Solver | None:
    """Return the solver of the strategy that `training.initial_head` names; None for other initial weights."""
    return STRATEGIES[initial_head].solver if initial_head in STRATEGIES else None


def list_strategies() -> pd.DataFrame:
    """Return a table of the fine-tuning strategies.

    Returns:
        DataFrame indexed by name with the column `title`.
    """
    import pandas as pd

    rows = {name: {"title": strategy.title} for name, strategy in STRATEGIES.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("strategy")


def outline_phases(training: TrainingConfig, groups: Sequence[str]) -> tuple[PhaseOutline, ...]:
    """Return the phases of the configured strategy.

    `phase_epochs` sets the number of epochs of each phase. Without it, `epochs` is divided among the phases: `lp_ft`
    uses a third for linear probing, and gradual unfreezing uses equal parts. Each phase has at least one epoch, and the
    last one also has the remainder. An exact solver has one pass over the images per view.

    Args:
        training: The training section of a configuration.
        groups: Names of the layer groups with weights, from input to output.

    Raises:
        UserError: If `phase_epochs` does not have one number per phase, or there are fewer epochs than phases.
    """
    strategy = get_strategy(training.strategy)
    steps = strategy.steps(groups, training.unfreeze)
    epochs = training.phase_epochs or _divide(training.epochs, len(steps), strategy.share)
    epochs = epochs if strategy.solver is None else [training.views]
    if len(epochs) != len(steps):
        names = ", ".join(name for name, _ in steps)
        raise UserError(f"`phase_epochs` must have one number for each phase ({names}). Received: {list(epochs)}")
    rate = training.learning_rate
    return tuple(
        PhaseOutline(name, unfreeze, count, rate) for (name, unfreeze), count in zip(steps, epochs, strict=True)
    )


def resolve_phases(model: keras.Model, outlines: Sequence[PhaseOutline], counting: str) -> list[Phase]:
    """Return the phases with the names of their layers in a classifier.

    Args:
        model: Classifier built by `build_classifier`.
        outlines: Phases from `outline_phases`.
        counting: How layers are grouped: "stages", "reference" or "fts".

    Raises:
        UserError: If the classifier does not have enough groups or layers.
    """
    groups = {group.name: group.layers for group in layer_groups(model, counting)}

    def layers(unfreeze: Unfreeze) -> frozenset[str]:
        if isinstance(unfreeze, str):
            return frozenset(trainable_layers(model, unfreeze, counting))
        return frozenset(layer for name in unfreeze for layer in groups[name])

    return [Phase(o.name, layers(o.unfreeze), o.epochs, o.learning_rate) for o in outlines]


def group_multipliers(training: TrainingConfig, groups: Sequence[str]) -> tuple[float, ...]:
    """Return the learning-rate multipliers that `group_rates` or `group_decay` sets.

    Args:
        training: The training section of a configuration.
        groups: Names of the layer groups with weights.

    Returns:
        Multipliers of the head, the last group, the group before it and so on; empty if all are 1.

    Raises:
        UserError: If there are more multipliers than groups, or the strategy sets the multipliers itself.
    """
    count = 1 + len(groups)
    given = "group_rates" if training.group_rates else "group_decay" if training.group_decay != 1 else ""
    if given and get_strategy(training.strategy).auto_multipliers:
        raise UserError(
            f"`{given}` cannot be used with `strategy={training.strategy!r}`, which sets the multipliers itself"
        )
    if len(training.group_rates) > count:
        rule = f"at most {count} multipliers, for the head and {count - 1} groups"
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
