"""The plan of a run: a configuration resolved once into the objects that the rooms work with, every name checked.

Making a plan reads no file, builds nothing and imports no TensorFlow. Every `Config` is checked this way when it is
made, so all commands and functions refuse the same values with the same line.
"""

from __future__ import annotations

from dataclasses import dataclass

from keras_radtl.config import AugmentConfig, Config, DataConfig, ModelConfig, SplitConfig, TrainingConfig, require
from keras_radtl.models.backbones.branches import Branch, branches, group_names, image_size
from keras_radtl.models.layers.head_sizes import HeadSizes, head_sizes, require_head
from keras_radtl.strategies.optimizers import OptimizerSettings, optimizer_settings
from keras_radtl.strategies.table import PhaseOutline, Strategy, get_strategy, group_factors, outline_phases


@dataclass(frozen=True)
class Plan:
    """What a run will do.

    Attributes:
        data, split, augment, model, training: sections of the configuration.
        seed: of the run.
        split_seed: of the split.
        device: `auto`, `cpu` or `gpu`.
        branches: one per backbone, with its row, weights and scaling.
        image_size: side of the images in pixels.
        head: inner widths of the head; None when they depend on the size of the last feature map.
        strategy: row of the table of strategies.
        phases: of the strategy, in order.
        group_factors: learning-rate multipliers, from the head to the first group; () when all are 1.
        optimizer: settings of the optimizer.
        focal_gamma: exponent of the focal loss; 0: cross-entropy.
    """

    data: DataConfig
    split: SplitConfig
    augment: AugmentConfig
    model: ModelConfig
    training: TrainingConfig
    seed: int
    split_seed: int
    device: str
    branches: tuple[Branch, ...]
    image_size: int
    head: HeadSizes | None
    strategy: Strategy
    phases: tuple[PhaseOutline, ...]
    group_factors: tuple[float, ...]
    optimizer: OptimizerSettings
    focal_gamma: float

    @property
    def frozen(self) -> bool:
        """Whether the whole backbone stays frozen in every phase."""
        return all(phase.unfreeze == "none" for phase in self.phases)

    @property
    def epochs(self) -> int:
        """Planned epochs of all phases."""
        return sum(phase.epochs for phase in self.phases)


def make_plan(config: Config) -> Plan:
    """Resolve a configuration.

    Raises:
        UserError: for an unknown name, and for values that cannot work together; naming the key, the rule and the value.
    """
    model, training = config.model, config.training
    parts = branches(model)
    require_head(model.head.name)
    strategy, groups = get_strategy(training.strategy), group_names(parts, training.counting, weighted=True)
    _check_head(config, strategy)
    _check_unfreeze(training, group_names(parts, training.counting))
    return Plan(
        data=config.data,
        split=config.split,
        augment=config.augment,
        model=model,
        training=training,
        seed=config.seed,
        split_seed=config.split_seed,
        device=config.device,
        branches=parts,
        image_size=_image_size(config.data, parts),
        head=_head_sizes(model, parts),
        strategy=strategy,
        phases=outline_phases(training, groups),
        group_factors=group_factors(training, groups),
        optimizer=optimizer_settings(training),
        focal_gamma=training.focal_gamma if training.loss == "focal" else 0.0,
    )


def _image_size(data: DataConfig, parts: tuple[Branch, ...]) -> int:
    size = data.image_size or image_size(parts)
    for branch in parts:
        least = branch.spec.minimum_size
        require(size >= least, "image_size", f"at least {least} pixels for {branch.spec.display_name}", size)
    return size


def _head_sizes(model: ModelConfig, parts: tuple[Branch, ...]) -> HeadSizes | None:
    if model.head.pooling != "average":
        return None
    return head_sizes(model.head, sum(branch.spec.features for branch in parts))


def _check_head(config: Config, strategy: Strategy) -> None:
    name, l2 = config.training.strategy, config.model.head.l2
    rule = f"0 with the strategy {name}, whose `beta` penalizes the head"
    require(not (strategy.penalty and l2), "model.head.l2", rule, l2)


def _check_unfreeze(training: TrainingConfig, groups: tuple[str, ...]) -> None:
    count = training.unfreeze.removeprefix("top")
    if count != training.unfreeze:
        rule = f"at most top{len(groups)}; the groups are {', '.join(groups)}"
        require(int(count) <= len(groups), "unfreeze", rule, training.unfreeze)
