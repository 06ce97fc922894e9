"""The schema of a configuration: nested frozen dataclasses, checked when made.

A configuration says everything that decides a result and nothing else: two runs with equal configurations on equal
data give equal results on one machine. Where the result is written is not part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from keras_radtl.config.arguments import expand
from keras_radtl.config.errors import require
from keras_radtl.config.presets import preset_values
from keras_radtl.config.serialization import merge, update


def _one_of(owner, name: str, choices: tuple[str, ...]) -> None:
    value = getattr(owner, name)
    require(value in choices, name, f"one of {', '.join(choices)}", value)


def _fractions(owner, *names: str) -> None:
    for name in names:
        value = getattr(owner, name)
        require(0 <= value <= 1, name, "in [0, 1]", value)


@dataclass(frozen=True)
class PhantomConfig:
    """Simulated breast-ultrasound images, used when `data.path` is the word `phantoms`."""

    count: int = 400  #: images
    image_size: int = 160  #: pixels, square
    difficulty: float = 0.5  #: 0 (plain to see) to 1 (hardly told apart)
    seed: int = 0  #: determines all images

    def __post_init__(self):
        require(self.count >= 20, "count", "at least 20", self.count)
        require(32 <= self.image_size <= 1024, "image_size", "in [32, 1024] pixels", self.image_size)
        _fractions(self, "difficulty")


@dataclass(frozen=True)
class DataConfig:
    """Which images and labels, how they are grouped and how they become uint8 pixels."""

    path: str = "phantoms"  #: folder of class folders, CSV, MedMNIST .npz, RadImageNet task folder, or `phantoms`
    label: str | None = None  #: label column of a CSV; None: found by name
    labels: tuple[str, ...] = ()  #: several 0/1 columns of a CSV: a multi-label task
    positive: str | None = None  #: this class against the rest
    groups: str = "auto"  #: auto | none | name of a CSV column | re:<regular expression on the path, first bracket>
    given_split: bool = True  #: use the split or fold that the data bring along
    on_label_conflict: str = "drop"  #: identical images with different labels: drop | keep | error
    on_bad_image: str = "error"  #: error | skip (and list in rejected.csv)
    image_size: int | None = None  #: pixels, square; None: the backbone's own
    resize: str = "stretch"  #: stretch | crop (shorter side to `resize_side`, then the centre) | pad
    resize_side: int | None = None  #: for crop: pixels of the shorter side; None: image_size * 256 / 224
    channels: str = "auto"  #: auto (grey when every image is grey) | grey | rgb
    window: str = "image"  #: 16 bit to 8: image (its own minimum to maximum) | full (0-65535) | LOW:HIGH
    clahe: float = 0.0  #: clip limit of contrast-limited adaptive histogram equalisation, 8 x 8 tiles; 0: none
    max_megapixels: float = 64.0  #: larger images are refused before they are decoded
    phantoms: PhantomConfig = field(default_factory=PhantomConfig)

    def __post_init__(self):
        _one_of(self, "on_label_conflict", ("drop", "keep", "error"))
        _one_of(self, "on_bad_image", ("error", "skip"))
        _one_of(self, "resize", ("stretch", "crop", "pad"))
        _one_of(self, "channels", ("auto", "grey", "rgb"))
        possible = self.image_size is None or 8 <= self.image_size <= 4096
        require(possible, "image_size", "in [8, 4096] pixels", self.image_size)
        require(0 <= self.clahe <= 100, "clahe", "in [0, 100]", self.clahe)
        require(self.max_megapixels > 0, "max_megapixels", "> 0", self.max_megapixels)
        if self.window not in ("image", "full"):
            low, _, high = self.window.partition(":")
            valid = low.isdigit() and high.isdigit() and int(low) < int(high)
            require(valid, "window", "`image`, `full` or LOW:HIGH with LOW < HIGH", self.window)


@dataclass(frozen=True)
class SplitConfig:
    """How cases are divided; groups are never divided (BACON section 4.3 has the ratios)."""

    train: float = 0.75
    val: float = 0.15
    test: float = 0.10
    folds: int | None = None  #: k-fold cross-validation; every case is tested once
    seed: int | None = None  #: of the split alone; None: the seed of the run

    def __post_init__(self):
        for name in ("train", "val", "test"):
            require(0 < getattr(self, name) < 1, name, "in (0, 1)", getattr(self, name))
        total = self.train + self.val + self.test
        require(abs(total - 1) < 1e-6, "train + val + test", "1", round(total, 6))
        require(self.folds is None or 2 <= self.folds <= 100, "folds", "in [2, 100]", self.folds)
        require(self.seed is None or 0 <= self.seed < 2**31, "split.seed", "in [0, 2^31)", self.seed)


@dataclass(frozen=True)
class AugmentConfig:
    """Ranges of the random picture changes of training; 0 or false switches one off (BACON sections 4.2 and E)."""

    rotation: float = 10.0  #: degrees, uniform in [-rotation, rotation]
    shift: float = 0.1  #: fraction of width and height
    shear: float = 0.1  #: horizontal shift per unit of height
    zoom: float = 0.1  #: scale in [1 - zoom, 1 + zoom], one for both axes
    horizontal_flip: bool = True  #: mirror left and right with probability 1/2
    vertical_flip: bool = False  #: mirror top and bottom with probability 1/2
    brightness: float = 0.0  #: added, fraction of 255
    contrast: float = 0.0  #: factor in [1 - contrast, 1 + contrast] about the mean grey
    blur: float = 0.0  #: largest standard deviation of a Gaussian blur, pixels

    def __post_init__(self):
        require(0 <= self.rotation <= 180, "rotation", "in [0, 180] degrees", self.rotation)
        _fractions(self, "shift", "shear", "brightness", "contrast")
        require(0 <= self.zoom < 1, "zoom", "in [0, 1)", self.zoom)
        require(0 <= self.blur <= 50, "blur", "in [0, 50] pixels", self.blur)


NO_CHANGES = AugmentConfig(0.0, 0.0, 0.0, 0.0, False)


@dataclass(frozen=True)
class HeadConfig:
    """The classifier on the pooled features (BACON section 3.1)."""

    name: str = "conv_skip"  #: linear | nonlinear | conv | conv_skip
    ratio: float = 0.5  #: hidden size, as a ratio to `hidden_basis`
    filters: int = 16  #: of the convolution in `conv` and `conv_skip`
    kernel_size: int = 2  #: of that convolution
    dropout: float = 0.5  #: dropout rate after the hidden layers of every head but `linear`
    hidden_basis: str = "features"  #: features (the paper) | flattened (the released code)
    pooling: str = "average"  #: of the last feature map: average | flatten
    input_dropout: float = 0.0  #: of the features, before any head
    l2: float = 0.0  #: times the sum of the squares of all kernels of the head, added to the training loss

    def __post_init__(self):
        require(self.ratio > 0, "ratio", "> 0", self.ratio)
        require(self.filters >= 1, "filters", ">= 1", self.filters)
        require(self.kernel_size >= 1, "kernel_size", ">= 1", self.kernel_size)
        require(0 <= self.dropout < 1, "dropout", "in [0, 1)", self.dropout)
        _one_of(self, "hidden_basis", ("features", "flattened"))
        _one_of(self, "pooling", ("average", "flatten"))
        require(0 <= self.input_dropout < 1, "input_dropout", "in [0, 1)", self.input_dropout)
        require(0 <= self.l2 < float("inf"), "l2", ">= 0", self.l2)


@dataclass(frozen=True)
class ModelConfig:
    """Backbone, its weights and scaling, and the head."""

    backbone: str = "efficientnet_lite0"
    weights: str = "imagenet"  #: none | imagenet | radimagenet | a file; two joined by `+`: two backbones, one head
    weights_dir: str | None = None  #: folder of the RadImageNet files
    scaling: str | None = None  #: None: the scaling that belongs to the weights
    batchnorm: str = "inference"  #: all of the backbone, frozen or not: inference (moving statistics) | adapt (batch's)
    head: HeadConfig = field(default_factory=HeadConfig)

    def __post_init__(self):
        _one_of(self, "batchnorm", ("inference", "adapt"))


@dataclass(frozen=True)
class TrainingConfig:
    """What trains, how long and how fast."""

    strategy: str = "fixed"  #: fixed (see unfreeze) | ft | lp | g_lf | g_fl | lp_ft | l1_sp | l2_sp | auto_rgn
    phase_epochs: tuple[int, ...] = ()  #: epochs of each phase; empty: `epochs` divided among the phases
    alpha: float = 0.01  #: l1_sp, l2_sp: strength of the pull of pretrained weights to their start
    beta: float = 0.01  #: l1_sp, l2_sp: strength of the pull of the head's weights to 0
    group_rates: tuple[float, ...] = ()  #: factors of the learning rate: head, last group, the one before, ...
    group_decay: float = (
        1.0  # the same by one factor: 1 for the head, d for the last group, d^2 for the one before, ...
    )
    unfreeze: str = "none"  #: none | all | topN (layer groups from the output) | layers:N (Keras layers)
    counting: str = "stages"  #: stages (groups that have weights) | reference (the nine children of the torch ResNet50)
    epochs: int = 10
    batch_size: int = 32
    learning_rate: float = 1e-3
    optimizer: str = "adam"
    momentum: float = 0.9  #: for sgd
    weight_decay: float = 0.0
    weight_decay_mode: str = "decoupled"  #: decoupled (w -= rate * decay * w) | coupled (decay * w joins the gradient)
    decay_bias_and_norm: bool = True  #: also decay biases and BatchNorm scales, as torch does
    schedule: str = "constant"  #: constant | cosine | beta
    monitor: str = "val_auc"  #: what chooses the epoch: val_auc | val_loss
    patience: int | None = None  #: epochs without a better `monitor` of the phase before the phase stops; None: never
    total_patience: int | None = None  #: epochs without a better `monitor` of the run before all stops; None: never
    loss: str = "cross_entropy"  #: cross_entropy | focal, by softmax, or by sigmoid for several labels
    focal_gamma: float = 2.0  #: for focal: 0 is cross-entropy
    class_weight: str = "none"  #: none | balanced (each class, or presence and absence of each label, weighs the same)
    sampling: str = "none"  #: none | balanced (an epoch draws as many cases of each class)
    precision: str = "float32"  #: float32 | mixed_bfloat16 | mixed_float16
    deterministic: bool = True  #: op determinism: same machine, same seed, same bits

    def __post_init__(self):
        require(self.epochs >= 1, "epochs", ">= 1", self.epochs)
        require(all(n >= 1 for n in self.phase_epochs), "phase_epochs", "a list of numbers >= 1", self.phase_epochs)
        require(self.alpha >= 0, "alpha", ">= 0", self.alpha)
        require(self.beta >= 0, "beta", ">= 0", self.beta)
        require(all(f >= 0 for f in self.group_rates), "group_rates", "a list of factors >= 0", self.group_rates)
        require(0 < self.group_decay <= 1, "group_decay", "in (0, 1]", self.group_decay)
        twofold = bool(self.group_rates) and self.group_decay != 1
        require(not twofold, "group_decay", "1 where group_rates are given", self.group_decay)
        require(self.batch_size >= 1, "batch_size", ">= 1", self.batch_size)
        require(0 < self.learning_rate < float("inf"), "learning_rate", "> 0", self.learning_rate)
        require(0 <= self.momentum < 1, "momentum", "in [0, 1)", self.momentum)
        require(0 <= self.weight_decay < float("inf"), "weight_decay", ">= 0", self.weight_decay)
        _one_of(self, "weight_decay_mode", ("decoupled", "coupled"))
        _one_of(self, "counting", ("stages", "reference", "fts"))
        _one_of(self, "schedule", ("constant", "cosine", "beta"))
        _one_of(self, "monitor", ("val_auc", "val_loss"))
        _one_of(self, "loss", ("cross_entropy", "focal"))
        require(0 <= self.focal_gamma <= 100, "focal_gamma", "in [0, 100]", self.focal_gamma)
        _one_of(self, "class_weight", ("none", "balanced"))
        _one_of(self, "sampling", ("none", "balanced"))
        _one_of(self, "precision", ("float32", "mixed_bfloat16", "mixed_float16"))
        twice = self.sampling == self.class_weight == "balanced"
        rule = "none where sampling is balanced: classes would count twice"
        require(not twice, "class_weight", rule, self.class_weight)
        require(self.patience is None or self.patience >= 1, "patience", ">= 1", self.patience)
        limit = self.total_patience
        require(limit is None or limit >= 1, "total_patience", ">= 1", limit)
        count = self.unfreeze.removeprefix("layers:" if ":" in self.unfreeze else "top")
        valid = self.unfreeze in ("none", "all") or (count.isdigit() and count != self.unfreeze)
        require(valid, "unfreeze", "none, all, topN or layers:N", self.unfreeze)


@dataclass(frozen=True)
class Config:
    """Everything that decides the result of one run.

    Values and names are checked when it is made: an unknown backbone, head, strategy, optimizer or scaling is refused
    there, so every command and every function refuses it with the same line.
    """

    preset_name: str = field(default="quickstart", metadata={"key": "preset"})  #: the preset that it was made from
    seed: int = 0  #: determines split, initial weights, order and augmentation
    device: str = "auto"  #: auto | cpu | gpu
    data: DataConfig = field(default_factory=DataConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self):
        require(0 <= self.seed < 2**31, "seed", "in [0, 2^31)", self.seed)
        _one_of(self, "device", ("auto", "cpu", "gpu"))
        for check in CHECKS:
            check(self)

    @classmethod
    def preset(cls, name: str = "quickstart", /, **overrides) -> Config:
        """Return the configuration of a preset with changes.

        Args:
            name: one of `list_presets()`.
            overrides: values by the name of a flag (`data="BUSI"`, `folds=5`, `learning_rate=1e-4`), by dotted key
                (`**{"augment.rotation": 0}`), or tables by section (`training={"epochs": 3}`).
        Raises:
            UserError: naming the argument, the rule and the value.
        """
        return cls.from_layers(name, expand(overrides))

    @classmethod
    def from_layers(cls, preset: str, *layers: Mapping) -> Config:
        """Return the configuration of a preset with nested values on top; later layers win.

        All layers are applied at once, since some values are only valid together. What a preset says of its own data,
        such as the positive class, does not apply to other data.

        Raises:
            UserError: naming the key, the rule and the value.
        """
        changes = merge(*layers)
        values = preset_values(preset, own_data="path" not in _table(changes, "data") or _own(changes))
        return update(cls(), merge({"preset": preset}, values, changes))

    @property
    def split_seed(self) -> int:
        """Seed of the split: its own, or that of the run."""
        return self.seed if self.split.seed is None else self.split.seed


def _table(values: Mapping, name: str) -> Mapping:
    table = values.get(name)
    return table if isinstance(table, Mapping) else {}


def _own(changes: Mapping) -> bool:
    return _table(changes, "data")["path"] == DataConfig.path


CHECKS: list[Callable[[Config], None]] = []  # of names that other rooms own; the package adds its own when imported
