"""Short names of configuration keys: keyword arguments of `Config.preset` and, with dashes, command-line flags.

Both are defined by one table, so that they have the same names, types and help texts. A help text names other arguments
in backticks; `keras_radtl.cli` shows them as flags.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from keras_radtl.config.errors import UserError, listed, shown
from keras_radtl.config.serialization import nested


def ints(text: str) -> tuple[int, ...]:
    """Parse integers separated by commas."""
    return tuple(int(part) for part in text.split(","))


def floats(text: str) -> tuple[float, ...]:
    """Parse numbers separated by commas."""
    return tuple(float(part) for part in text.split(","))


class Argument(NamedTuple):
    """A short name of a configuration key.

    Attributes:
        name: Keyword argument; the flag is `--` and this name with dashes.
        key: Dotted configuration key.
        kind: Function that parses the text of the flag.
        help: Help text of one line.
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
        Argument(
            "data",
            "data.path",
            str,
            "folder of class folders, CSV, MedMNIST .npz, RadImageNet task folder, or phantoms",
        ),
        Argument(
            "label", "data.label", str, "label column of a CSV; for a multi-label task several, separated by commas"
        ),
        Argument(
            "positive",
            "data.positive",
            str,
            "class that is compared with all others, or none; default: none, for phantoms malignant",
        ),
        Argument(
            "groups", "data.groups", str, "auto, none, a CSV column, or re:REGEX on the path; groups are not split"
        ),
        Argument(
            "image_size",
            "data.image_size",
            int,
            "height and width in pixels; default: the input size of the backbone, for phantoms 160",
        ),
        Argument(
            "on_label_conflict",
            "data.on_label_conflict",
            str,
            "drop, keep or error, for identical images with different labels",
        ),
        Argument("on_bad_image", "data.on_bad_image", str, "error, or skip and list in rejected.csv"),
        Argument("folds", "split.folds", int, "k-fold cross-validation instead of one split"),
        Argument("train_share", "split.train", float, "share of training cases"),
        Argument("val_share", "split.val", float, "share of validation cases"),
        Argument("test_share", "split.test", float, "share of test cases"),
    ),
    "model": (
        Argument("backbone", "model.backbone", str, "name of a backbone; `python -m keras_radtl.models` lists them"),
        Argument("weights", "model.weights", str, "none, imagenet, radimagenet, or a weight file"),
        Argument("weights_dir", "model.weights_dir", str, "folder of the RadImageNet files"),
        Argument("scaling", "model.scaling", str, "pixel scaling; default: the scaling of the weights"),
        Argument("head", "model.head.name", str, "linear, nonlinear, conv or conv_skip"),
        Argument("pooling", "model.head.pooling", str, "average, flatten or stages: features of an image"),
        Argument("batchnorm", "model.batchnorm", str, "inference (moving statistics) or adapt (batch statistics)"),
    ),
    "training": (
        Argument("strategy", "training.strategy", str, "fixed (see `unfreeze`) or a fine-tuning strategy"),
        Argument("unfreeze", "training.unfreeze", str, "none, all, topN layer groups, or layers:N"),
        Argument(
            "initial_head",
            "training.initial_head",
            str,
            "kaiming, zero, or probe: the head starts at the optimum of the strategy probe",
        ),
        Argument("views", "training.views", int, "views of each image for probe: the image and augmented copies"),
        Argument("inner_folds", "training.inner_folds", int, "folds that choose the penalty of probe"),
        Argument("epochs", "training.epochs", int, "number of epochs"),
        Argument(
            "phase_epochs",
            "training.phase_epochs",
            ints,
            "epochs of each phase, such as 3,7; default: `epochs` divided",
        ),
        Argument(
            "group_rates",
            "training.group_rates",
            floats,
            "multipliers: head, last group, the one before, such as 1,0.3,0.1",
        ),
        Argument("group_decay", "training.group_decay", float, "the same by one factor per group, such as 0.3"),
        Argument("batch_size", "training.batch_size", int, "images in a batch"),
        Argument("learning_rate", "training.learning_rate", float, "learning rate of the first epoch"),
        Argument("optimizer", "training.optimizer", str, "adam, adamw, radam or sgd (Nesterov)"),
        Argument(
            "weight_decay", "training.weight_decay", float, "strength of the weight decay; see `weight_decay_mode`"
        ),
        Argument(
            "weight_decay_mode",
            "training.weight_decay_mode",
            str,
            "decoupled, or coupled like the L2 penalty of PyTorch",
        ),
        Argument("schedule", "training.schedule", str, "constant, cosine or beta"),
        Argument("patience", "training.patience", int, "stop a phase after this many epochs without improvement"),
        Argument(
            "total_patience", "training.total_patience", int, "stop the run after this many epochs without improvement"
        ),
        Argument("monitor", "training.monitor", str, "metric that selects the best epoch: val_auc or val_loss"),
        Argument("loss", "training.loss", str, "cross_entropy or focal"),
        Argument("class_weight", "training.class_weight", str, "none or balanced"),
        Argument("sampling", "training.sampling", str, "none, or balanced: equally many cases per class and epoch"),
        Argument("precision", "training.precision", str, "float32, mixed_bfloat16 or mixed_float16"),
    ),
    "prediction": (
        Argument(
            "tta",
            "prediction.tta",
            str,
            "views of a case whose logits are averaged: none, flips, rotations, or views:K augmented copies",
        ),
        Argument(
            "threshold",
            "prediction.threshold",
            str,
            "probability from which a case is positive, or how validation cases choose it: youden, sensitivity:0.95",
        ),
    ),
    "run": (
        Argument("seed", "seed", int, "determines split, initial weights, order and augmentation"),
        Argument("device", "device", str, "auto, cpu or gpu"),
    ),
}
AUGMENTATIONS = {  # values of the argument `augment`
    "none": {"rotation": 0.0, "shift": 0.0, "shear": 0.0, "zoom": 0.0, "horizontal_flip": False, "vertical_flip": False,
             "brightness": 0.0, "contrast": 0.0, "blur": 0.0},
    "standard": {"rotation": 10.0, "shift": 0.1, "shear": 0.1, "zoom": 0.1, "horizontal_flip": True,
                 "vertical_flip": False, "brightness": 0.0, "contrast": 0.0, "blur": 0.0},
}  # fmt: skip
KEYS = {argument.name: argument.key for arguments in ARGUMENTS.values() for argument in arguments}


def expand(overrides: Mapping[str, object]) -> dict:
    """Return overrides as a nested dict of configuration values.

    Args:
        overrides: Values by short name (`epochs`) or dotted key (`training.epochs`), or tables by section
            (`training={"epochs": 3}`); `augment` may also be "none" or "standard", and `label` a list.
    Raises:
        UserError: If a short name is unknown; the message lists the known ones.
    """
    values: dict[str, object] = {}
    for name, value in overrides.items():
        if name == "augment" and isinstance(value, str):
            if value not in AUGMENTATIONS:
                raise UserError(
                    f"`augment` must be one of {', '.join(AUGMENTATIONS)}, or a table. Received: {shown(value)}"
                )
            values["augment"] = AUGMENTATIONS[value]
        elif name == "label" and not isinstance(value, str) and value is not None:
            values["data.labels"] = value
        elif isinstance(value, Mapping) or "." in name:
            values[name] = value
        elif name in KEYS:
            values[KEYS[name]] = str(value) if name == "data" else value
        else:
            raise UserError(f"Unknown argument {shown(name)}. Known: {listed(KEYS)}, or a dotted configuration key")
    return nested(values)
