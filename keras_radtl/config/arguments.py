"""Short names of configuration keys: the keyword arguments of `Config.preset` and, with dashes, the command-line flags.

One table, so that both have the same names, types and help.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from keras_radtl.config.errors import UserError
from keras_radtl.config.serialization import nested


def ints(text: str) -> tuple[int, ...]:
    """Read integers separated by commas."""
    return tuple(int(part) for part in text.split(","))


def floats(text: str) -> tuple[float, ...]:
    """Read numbers separated by commas."""
    return tuple(float(part) for part in text.split(","))


class Argument(NamedTuple):
    """One short name.

    Attributes:
        name: keyword argument; the flag is `--` and this name with dashes.
        key: dotted configuration key.
        kind: function from the text of a flag to its value.
        help: one line.
    """

    name: str
    key: str
    kind: Callable
    help: str

    @property
    def flag(self) -> str:
        """The command-line flag, such as `--image-size`."""
        return "--" + self.name.replace("_", "-")


ARGUMENTS: dict[str, tuple[Argument, ...]] = {
    "data": (
        Argument("data", "data.path", str, "folder of class folders, CSV, MedMNIST .npz, RadImageNet task folder, or `phantoms`"),
        Argument("label", "data.label", str, "label column of a CSV; several, separated by commas, are a multi-label task"),
        Argument("positive", "data.positive", str, "this class against all others"),
        Argument("groups", "data.groups", str, "auto, none, a CSV column, or re:REGEX on the path; groups are never split"),
        Argument("image_size", "data.image_size", int, "pixels, square; default: the input size of the backbone"),
        Argument("on_label_conflict", "data.on_label_conflict", str, "identical images with different labels: drop, keep or error"),
        Argument("on_bad_image", "data.on_bad_image", str, "error, or skip and list in rejected.csv"),
        Argument("folds", "split.folds", int, "k-fold cross-validation instead of one split"),
        Argument("train_share", "split.train", float, "share of training cases"),
        Argument("val_share", "split.val", float, "share of validation cases"),
        Argument("test_share", "split.test", float, "share of test cases"),
    ),
    "model": (
        Argument("backbone", "model.backbone", str, "python -m keras_radtl.models lists them"),
        Argument("weights", "model.weights", str, "none, imagenet, radimagenet, or a weight file"),
        Argument("weights_dir", "model.weights_dir", str, "folder of the RadImageNet files"),
        Argument("scaling", "model.scaling", str, "pixel scaling; default: the scaling that the weights were trained with"),
        Argument("head", "model.head.name", str, "linear, nonlinear, conv or conv_skip"),
        Argument("batchnorm", "model.batchnorm", str, "BatchNorm of the backbone: inference (moving statistics) or adapt (batch statistics)"),
    ),
    "training": (
        Argument("strategy", "training.strategy", str, "fixed (see --unfreeze) or a named fine-tuning strategy"),
        Argument("unfreeze", "training.unfreeze", str, "none, all, topN layer groups, or layers:N"),
        Argument("epochs", "training.epochs", int, "number of epochs"),
        Argument("phase_epochs", "training.phase_epochs", ints, "epochs of each phase, such as 3,7; default: --epochs divided"),
        Argument("group_rates", "training.group_rates", floats, "learning-rate multipliers: head, last group, the one before, such as 1,0.3,0.1"),
        Argument("group_decay", "training.group_decay", float, "the same by one factor for each group, such as 0.3"),
        Argument("batch_size", "training.batch_size", int, "images in a batch"),
        Argument("learning_rate", "training.learning_rate", float, "learning rate of the first epoch"),
        Argument("optimizer", "training.optimizer", str, "adam, adamw, radam or sgd (Nesterov)"),
        Argument("weight_decay", "training.weight_decay", float, "decay strength; see training.weight_decay_mode"),
        Argument("weight_decay_mode", "training.weight_decay_mode", str, "decoupled, or coupled like the L2 penalty of PyTorch"),
        Argument("schedule", "training.schedule", str, "constant, cosine or beta"),
        Argument("patience", "training.patience", int, "stop a phase after this many epochs without improvement in the phase"),
        Argument("total_patience", "training.total_patience", int, "stop the run after this many epochs without improvement"),
        Argument("monitor", "training.monitor", str, "metric that selects the best epoch: val_auc or val_loss"),
        Argument("loss", "training.loss", str, "cross_entropy or focal"),
        Argument("class_weight", "training.class_weight", str, "none or balanced"),
        Argument("sampling", "training.sampling", str, "none, or balanced: equally many cases of each class per epoch"),
        Argument("precision", "training.precision", str, "float32, mixed_bfloat16 or mixed_float16"),
    ),
    "run": (
        Argument("seed", "seed", int, "determines split, initial weights, order and augmentation"),
        Argument("device", "device", str, "auto, cpu or gpu"),
    ),
}  # fmt: skip
AUGMENTATIONS = {  # by the word that `augment` takes
    "none": {"rotation": 0.0, "shift": 0.0, "shear": 0.0, "zoom": 0.0, "horizontal_flip": False, "vertical_flip": False,
             "brightness": 0.0, "contrast": 0.0, "blur": 0.0},
    "standard": {"rotation": 10.0, "shift": 0.1, "shear": 0.1, "zoom": 0.1, "horizontal_flip": True,
                 "vertical_flip": False, "brightness": 0.0, "contrast": 0.0, "blur": 0.0},
}  # fmt: skip
KEYS = {argument.name: argument.key for arguments in ARGUMENTS.values() for argument in arguments}


def expand(overrides: Mapping[str, object]) -> dict:
    """Return overrides as a nested dict of configuration values.

    Args:
        overrides: values by short name (`epochs`), by dotted key (`training.epochs`), or tables by section
            (`training={"epochs": 3}`); `augment` also takes the words `none` and `standard`; `label` may be a list.
    Raises:
        UserError: for an unknown short name, with the known ones.
    """
    values: dict[str, object] = {}
    for name, value in overrides.items():
        if name == "augment" and isinstance(value, str):
            if value not in AUGMENTATIONS:
                raise UserError(f"`augment` must be one of {', '.join(AUGMENTATIONS)}, or a table. Received: {value!r}")
            values["augment"] = AUGMENTATIONS[value]
        elif name == "label" and not isinstance(value, str) and value is not None:
            values["data.labels"] = value
        elif isinstance(value, Mapping) or "." in name:
            values[name] = value
        elif name in KEYS:
            values[KEYS[name]] = str(value) if name == "data" else value
        else:
            raise UserError(f"Unknown argument `{name}`. Known: {', '.join(KEYS)}, or a dotted configuration key")
    return nested(values)
