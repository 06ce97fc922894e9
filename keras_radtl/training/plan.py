"""The plan of a run: a configuration whose names are resolved to objects.

Making a plan reads no file, builds no model and does not import TensorFlow. Each `Config` is checked in this way on
construction, so that all commands and functions reject the same values with the same message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keras_radtl.config import (
    AugmentConfig,
    Config,
    DataConfig,
    ModelConfig,
    PredictionConfig,
    SplitConfig,
    TrainingConfig,
    require,
)
from keras_radtl.config.prediction import augmented_views
from keras_radtl.models.backbones.branches import Branch, branches, group_names, image_size, require_image_size
from keras_radtl.models.layers.head_sizes import HeadSizes, head_sizes, require_head
from keras_radtl.strategies.optimizers import OptimizerSettings, optimizer_settings
from keras_radtl.strategies.table import (
    PhaseOutline,
    Strategy,
    get_strategy,
    group_multipliers,
    initial_solver,
    outline_phases,
)

if TYPE_CHECKING:
    from keras_radtl.data.views import View
    from keras_radtl.strategies.solvers import Solver


@dataclass(frozen=True)
class Plan:
    """A configuration whose names are resolved to objects.

    Attributes:
        data, split, augment, model, training, prediction: Sections of the configuration.
        seed: Seed of the run.
        split_seed: Seed of the split.
        device: `auto`, `cpu` or `gpu`.
        branches: One per backbone, with its spec, weights and scaling.
        image_size: Height and width of the images in pixels.
        head: Layer sizes of the head; None if they depend on the size of the last feature map.
        strategy: The strategy.
        initial_solver: Solver of the head from which training starts; None for other initial weights.
        phases: The phases of the strategy, in order.
        group_multipliers: Learning-rate multipliers from the head to the first group; () if all are 1.
        auto_multipliers: Multipliers by relative gradient norms of each "layer" or "tensor"; None: fixed multipliers.
        optimizer: Settings of the optimizer.
        focal_gamma: Exponent of the focal loss; 0: cross-entropy.
    """

    data: DataConfig
    split: SplitConfig
    augment: AugmentConfig
    model: ModelConfig
    training: TrainingConfig
    prediction: PredictionConfig
    seed: int
    split_seed: int
    device: str
    branches: tuple[Branch, ...]
    image_size: int
    head: HeadSizes | None
    strategy: Strategy
    initial_solver: Solver | None
    phases: tuple[PhaseOutline, ...]
    group_multipliers: tuple[float, ...]
    auto_multipliers: str | None
    optimizer: OptimizerSettings
    focal_gamma: float

    @property
    def frozen(self) -> bool:
        """Whether the whole backbone is frozen in all phases."""
        return all(phase.unfreeze == "none" for phase in self.phases)

    @property
    def exact(self) -> bool:
        """Whether a linear head is fitted exactly, as the model or as its start."""
        return self.strategy.solver is not None or self.initial_solver is not None

    @property
    def folds_needed(self) -> bool:
        """Whether the exact fit chooses the strength of its penalty by cross-validation."""
        lasso = self.training.lasso
        return self.exact and (not self.strategy.baseline or (lasso.C is None and lasso.choice == "cross_validation"))

    @property
    def data_key(self) -> tuple:
        """A key that is equal for plans that use the same dataset and split."""
        return self.data, self.split, self.split_seed, self.image_size

    @property
    def views(self) -> tuple[View, ...]:
        """Views of a validation or test case whose logits are averaged after training."""
        from keras_radtl.data.views import make_views

        return make_views(self.prediction.tta, self.augment, self.seed)

    @property
    def epochs(self) -> int:
        """Number of epochs of all phases."""
        return sum(phase.epochs for phase in self.phases)


def make_plan(config: Config) -> Plan:
    """Resolve the names of a configuration.

    Raises:
        UserError: If a name is unknown or values contradict each other; the message names the key, the rule and the
            value.
    """
    model, training = config.model, config.training
    parts = branches(model)
    require_head(model.head.name)
    strategy, groups = get_strategy(training.strategy), group_names(parts, training.counting, weighted=True)
    _check_head(config, strategy)
    _check_exact(config, strategy)
    _check_views(config)
    _check_backbone_weights(training, strategy, groups)
    _check_unfreeze(training, group_names(parts, training.counting), parts)
    return Plan(
        data=config.data,
        split=config.split,
        augment=config.augment,
        model=model,
        training=training,
        prediction=config.prediction,
        seed=config.seed,
        split_seed=config.split_seed,
        device=config.device,
        branches=parts,
        image_size=_image_size(config.data, parts),
        head=_head_sizes(model, parts),
        strategy=strategy,
        initial_solver=initial_solver(training.initial_head),
        phases=outline_phases(training, groups),
        group_multipliers=group_multipliers(training, groups),
        auto_multipliers=training.auto_rgn if strategy.auto_multipliers else None,
        optimizer=optimizer_settings(training),
        focal_gamma=training.focal_gamma if training.loss == "focal" else 0.0,
    )


def _image_size(data: DataConfig, parts: tuple[Branch, ...]) -> int:
    size = data.image_size or image_size(parts)
    require_image_size(parts, size)
    return size


def _head_sizes(model: ModelConfig, parts: tuple[Branch, ...]) -> HeadSizes | None:
    if model.head.pooling != "average":
        return None
    return head_sizes(model.head, sum(branch.spec.features for branch in parts))


def _check_head(config: Config, strategy: Strategy) -> None:
    name, l2 = config.training.strategy, config.model.head.l2
    rule = f"0 with the strategy {name}, whose `beta` penalizes the head"
    require(not (strategy.penalty and l2), "model.head.l2", rule, l2)


def _check_exact(config: Config, strategy: Strategy) -> None:
    """Refuse what an exact fit of a linear head cannot use."""
    training, head = config.training, config.model.head
    solver = strategy.solver is not None
    if not solver and initial_solver(training.initial_head) is None:
        return
    what = f"the strategy {training.strategy}" if solver else f"`initial_head={training.initial_head!r}`"
    require(head.name == "linear", "head", f"linear with {what}", head.name)
    flat = head.pooling == "flatten" and not strategy.baseline
    require(not flat, "model.head.pooling", f"average or stages with {what}", head.pooling)
    if solver:
        rows = (
            ("unfreeze", "none", training.unfreeze),
            ("batchnorm", "inference", config.model.batchnorm),
            ("loss", "cross_entropy", training.loss),
            ("sampling", "none", training.sampling),
            ("initial_head", "kaiming", training.initial_head),
            ("model.head.input_dropout", 0, head.input_dropout),
            ("model.head.l2", 0, head.l2),
        )
        for name, rule, value in rows:
            require(value == rule, name, f"{rule} with {what}", value)
    if strategy.baseline:
        require(
            training.views == 1, "views", f"1 with {what}, which is fitted on the images as they are", training.views
        )
        require(training.class_weight == "none", "class_weight", f"none with {what}", training.class_weight)
        require(not config.data.labels, "label", f"one column with {what}", config.data.labels)
        lasso = training.lasso
        whole = lasso.solver == "skglm" and lasso.l1_ratio != 1
        require(not whole, "training.lasso.l1_ratio", "1 with the solver skglm", lasso.l1_ratio)


def _check_views(config: Config) -> None:
    tta = config.prediction.tta
    rule = "none, flips or rotations without augmentation"
    require(config.augment.active or not augmented_views(tta), "tta", rule, tta)


def _check_backbone_weights(training: TrainingConfig, strategy: Strategy, groups: tuple[str, ...]) -> None:
    """Refuse to train the layers of a backbone that has no weights."""
    if not groups:
        steps = strategy.steps(groups, training.unfreeze)
        head_only = bool(steps) and all(unfreeze == "none" for _, unfreeze in steps)
        rule = "one that trains only the head, such as lp, with a backbone without weights"
        require(head_only, "strategy", rule, training.strategy)


def _check_unfreeze(training: TrainingConfig, groups: tuple[str, ...], parts: tuple[Branch, ...]) -> None:
    count = training.unfreeze.removeprefix("top")
    if count != training.unfreeze:
        rule = f"at most top{len(groups)}; the groups are {', '.join(groups)}"
        require(int(count) <= len(groups), "unfreeze", rule, training.unfreeze)
    layers = training.unfreeze.removeprefix("layers:")
    for branch in parts if layers != training.unfreeze else ():
        most = branch.spec.layers
        if most is not None and not branch.torch_variant:
            rule = f"at most layers:{most} for {branch.spec.display_name}"
            require(int(layers) <= most, "unfreeze", rule, training.unfreeze)
