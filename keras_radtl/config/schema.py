"""The schema of a configuration: nested frozen dataclasses that are validated on construction.

A configuration contains everything that determines a result and nothing else: two runs with equal configurations and
data give equal results on one machine. The output folder is not part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from keras_radtl.config.arguments import expand
from keras_radtl.config.data_sections import AugmentConfig, DataConfig, SplitConfig
from keras_radtl.config.errors import require
from keras_radtl.config.fields import SEED, check_fields, count_in, number, one_of
from keras_radtl.config.lasso_section import LassoConfig
from keras_radtl.config.prediction import PredictionConfig
from keras_radtl.config.presets import PRESETS, default_preset, preset_values
from keras_radtl.config.serialization import merge, update


@dataclass(frozen=True)
class HeadConfig:
    """The classification head on the features of the backbone (BACON, section 3.1)."""

    name: str = "conv_skip"  #: linear | nonlinear | conv | conv_skip
    ratio: float = number(0.5, "(0, 100]")  #: hidden size, as a ratio of `hidden_basis`
    filters: int = number(16, "[1, 4096]")  #: number of filters of the convolution in `conv` and `conv_skip`
    kernel_size: int = number(2, "[1, 65536]")  #: kernel size of that convolution
    dropout: float = number(0.5, "[0, 1)")  #: dropout rate after the hidden layers of all heads except `linear`
    hidden_basis: str = "features"  #: features (the paper) | flattened (the released code)
    #: features of an image: average (mean of each channel of the last feature map) | flatten (all its values) | stages
    #: (mean and standard deviation of each channel after each stage of the backbone)
    pooling: str = "average"
    input_dropout: float = number(0.0, "[0, 1)")  #: dropout rate of the features before the head
    l2: float = number(0.0, "[0, 1e6]")  #: L2 penalty factor of all kernels of the head

    def __post_init__(self):
        check_fields(self)
        one_of(self, "hidden_basis", ("features", "flattened"))
        one_of(self, "pooling", ("average", "flatten", "stages"))


@dataclass(frozen=True)
class ModelConfig:
    """The backbone, its weights and pixel scaling, and the head."""

    backbone: str = "efficientnet_lite0"
    weights: str = "imagenet"  #: none | imagenet | radimagenet | a file; one per backbone joined by `+`
    weights_dir: str | None = None  #: folder of the RadImageNet files
    scaling: str | None = None  #: pixel scaling; None: the scaling of the weights
    batchnorm: str = "inference"  #: all BatchNorm layers of the backbone: inference (moving statistics) | adapt (batch)
    #: momentum of the moving statistics with adapt; None: the value of each layer
    batchnorm_momentum: float | None = number(None, "[0, 1)")
    head: HeadConfig = field(default_factory=HeadConfig)

    def __post_init__(self):
        check_fields(self)
        one_of(self, "batchnorm", ("inference", "adapt"))


@dataclass(frozen=True)
class TrainingConfig:
    """Fine-tuning strategy, epochs, optimizer, loss and sampling."""

    #: fixed (see `unfreeze`) | ft | lp | g_lf | g_fl | lp_ft | l1_sp | l2_sp | auto_rgn | probe | lasso | logistic
    strategy: str = "fixed"
    #: weights of the head at the start: kaiming (normal, variance 2 / fan-in) | zero | probe (the optimum of the
    #: strategy probe on the training cases)
    initial_head: str = "kaiming"
    #: probe: views of each image, the image itself and augmented copies; test-time views (`tta`) are added
    views: int = number(5, "[1, 100]")
    inner_folds: int = number(5, "[2, 100]")  #: probe: folds of the cross-validation that chooses the penalty
    #: probe: choose the strongest penalty within one standard error of the best one
    one_standard_error: bool = False
    lasso: LassoConfig = field(default_factory=LassoConfig)
    #: number of epochs of each phase; empty: `epochs` divided among the phases
    phase_epochs: tuple[int, ...] = number((), "[1, 100000]")
    #: l1_sp, l2_sp: penalty factor of the distance of the backbone to its initial weights
    alpha: float = number(0.01, "[0, 1e6]")
    beta: float = number(0.01, "[0, 1e6]")  #: l1_sp, l2_sp: penalty factor of the weights of the head
    auto_rgn: str = "layer"  #: auto_rgn: norms by layer at each step (FTS) | by tensor at each epoch (Lee et al.)
    #: learning-rate multipliers: head, last group, the one before, ...
    group_rates: tuple[float, ...] = number((), "[0, 1e6]")
    #: multipliers by one factor d: 1 for the head, d for the last group, d^2 before it, ...
    group_decay: float = number(1.0, "(0, 1]")
    unfreeze: str = "none"  #: none | all | topN (layer groups from the output) | layers:N (Keras layers)
    counting: str = "stages"  #: layer groups: stages | reference (the nine children of the torch ResNet50) | fts
    epochs: int = number(10, "[1, 100000]")
    batch_size: int = number(32, "[1, 65536]")
    learning_rate: float = number(1e-3, "(0, 1e9]")
    optimizer: str = "adam"
    momentum: float = number(0.9, "[0, 1)")  #: momentum of sgd
    weight_decay: float = number(0.0, "[0, 1e6]")
    #: decoupled (w -= rate * decay * w) | coupled (decay * w is added to the gradient)
    weight_decay_mode: str = "decoupled"
    decay_bias_and_norm: bool = True  #: also decay biases and normalization scales, as torch does
    schedule: str = "constant"  #: constant | cosine | beta
    monitor: str = "val_auc"  #: metric that selects the best epoch: val_auc | val_loss
    #: epochs without improvement of `monitor` after which a phase ends; None: never
    patience: int | None = number(None, "[1, 100000]")
    #: epochs without improvement of `monitor` after which the run ends; None: never
    total_patience: int | None = number(None, "[1, 100000]")
    loss: str = "cross_entropy"  #: cross_entropy | focal; with softmax, or with sigmoid for a multi-label task
    focal_gamma: float = number(2.0, "[0, 100]")  #: exponent of the focal loss; 0 gives the cross-entropy
    class_weight: str = (
        "none"  #: none | balanced (equal total weight of the classes, or of presence and absence of a label)
    )
    sampling: str = "none"  #: none | balanced (an epoch draws equally many cases of each class)
    precision: str = "float32"  #: float32 | mixed_bfloat16 | mixed_float16
    deterministic: bool = True  #: deterministic operations: the same seed gives the same bits on one machine

    def __post_init__(self):
        check_fields(self)
        twofold = bool(self.group_rates) and self.group_decay != 1
        require(not twofold, "group_decay", "1 if `group_rates` are set", self.group_decay)
        one_of(self, "auto_rgn", ("layer", "tensor"))
        one_of(self, "initial_head", ("kaiming", "zero", "probe"))
        one_of(self, "weight_decay_mode", ("decoupled", "coupled"))
        one_of(self, "counting", ("stages", "reference", "fts"))
        one_of(self, "schedule", ("constant", "cosine", "beta"))
        one_of(self, "monitor", ("val_auc", "val_loss"))
        one_of(self, "loss", ("cross_entropy", "focal"))
        one_of(self, "class_weight", ("none", "balanced"))
        one_of(self, "sampling", ("none", "balanced"))
        one_of(self, "precision", ("float32", "mixed_bfloat16", "mixed_float16"))
        twice = self.sampling == self.class_weight == "balanced"
        rule = "none if `sampling` is balanced, since classes would be weighted twice"
        require(not twice, "class_weight", rule, self.class_weight)
        count = self.unfreeze.removeprefix("layers:" if ":" in self.unfreeze else "top")
        valid = self.unfreeze in ("none", "all") or (count_in(count) is not None and count != self.unfreeze)
        require(valid, "unfreeze", "none, all, topN or layers:N", self.unfreeze)


@dataclass(frozen=True)
class Config:
    """Everything that determines the result of a run.

    Values and names are validated on construction, so that all commands and functions reject an unknown backbone, head,
    strategy, optimizer or scaling with the same message.
    """

    preset_name: str = field(
        default="quickstart", metadata={"key": "preset"}
    )  #: the preset that the configuration is based on
    seed: int = number(0, SEED)  #: determines split, initial weights, order and augmentation
    device: str = "auto"  #: auto | cpu | gpu
    data: DataConfig = field(default_factory=DataConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    prediction: PredictionConfig = field(default_factory=PredictionConfig)

    def __post_init__(self):
        check_fields(self)
        require(self.preset_name in PRESETS, "preset", f"one of {', '.join(PRESETS)}", self.preset_name)
        one_of(self, "device", ("auto", "cpu", "gpu"))
        for check in CHECKS:
            check(self)

    @classmethod
    def preset(cls, name: str | None = None, /, **overrides: object) -> Config:
        """Return the configuration of a preset with changes.

        Args:
            name: One of `list_presets()`; None: `quickstart` for simulated images, `recommended` for other data,
                unless values of `model` or `training` are set that `recommended` does not use.
            overrides: Values by short name (`data="BUSI"`, `folds=5`, `learning_rate=1e-4`) or dotted key
                (`**{"augment.rotation": 0}`), or tables by section (`training={"epochs": 3}`).
        Raises:
            UserError: If a name or value is not valid; the message names the argument, the rule and the value.
        """
        return cls.from_layers(name, expand(overrides))

    @classmethod
    def from_layers(cls, preset: str | None, *layers: Mapping) -> Config:
        """Return the configuration of a preset, overridden by nested values; later layers take precedence.

        All layers are applied at once, since some values are valid only together (see `presets.preset_values`).

        Args:
            preset: One of `list_presets()`; None as for `preset`.
            layers: Nested values by section and key.
        Raises:
            UserError: If a key or value is not valid; the message names the key, the rule and the value.
        """
        changes = merge(*layers)
        name = default_preset(changes) if preset is None else preset
        return update(cls(), merge({"preset": name}, preset_values(name, changes), changes))

    @property
    def split_seed(self) -> int:
        """Seed of the split: `split.seed`, or the seed of the run if that is None."""
        return self.seed if self.split.seed is None else self.split.seed


CHECKS: list[
    Callable[[Config], None]
] = []  # checks of names that other modules define; added by `keras_radtl/__init__.py`
