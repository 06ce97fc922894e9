"""Named configurations: changes to the defaults of `Config`, which files and flags override.

Differences from the studies:

- All: groups are not split (`groups="none"` splits them, as the studies did), and identical images with different
  labels are dropped.
- breast, acl: the hidden size is a ratio of the number of features, as in the paper. The released code corresponds to
  `model.head.hidden_basis="flattened"` and needs 16 to 26 times the memory.
- radimagenet: the zoom is the same for both axes. See `keras_radtl.cli.radimagenet_flags` for BatchNorm.
- Phases of a strategy start from the last epoch of the phase before, not from its best one.
- fts: pixels are scaled by the statistics of the Keras weights; those of the study's torch weights are
  `scaling="torch"`. The shorter side of 232 pixels is that of ResNet50; DenseNet121 and VGG19 have
  `data.resize_side=256`.
- fts: Auto-RGN goes by layer, as the study describes it. The study does not say how often the norms are measured; here
  it is each step. `training.auto_rgn="tensor"` is the method of its authors (see `strategies.layer_rates`).
- cbis: the study rotated training and test images by 0, 90, 180 and 270 degrees and counted the copies as images. They
  are omitted here. BatchNorm also uses moving statistics in the last stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from keras_radtl.config.errors import UserError, shown
from keras_radtl.config.serialization import merge

if TYPE_CHECKING:
    import pandas as pd

SIMULATED = "phantoms"  # `data.path` of the simulated images
_NO_CHANGES = {"rotation": 0.0, "shift": 0.0, "shear": 0.0, "zoom": 0.0, "horizontal_flip": False}
_RADIMAGENET_CHANGES = {
    "rotation": 10.0, "shift": 0.1, "zoom": 0.1, "horizontal_flip": True,
    "shear": 0.00175,  # 0.1 degrees
}  # fmt: skip
_BACON_CHANGES = {**_RADIMAGENET_CHANGES, "shear": 0.1}  # the paper says 10 % (section 4.2)
_ADAPT = {"batchnorm": "adapt", "batchnorm_momentum": 0.9}  # BatchNorm of PyTorch in training mode
_QUICKSTART = {
    "data": {"image_size": 160, "positive": "malignant"},
    "model": {"backbone": "efficientnet_lite0", "weights": "imagenet", "head": {"name": "conv_skip", "filters": 4}},
    "training": {"unfreeze": "top2", "epochs": 8, "batch_size": 32, "learning_rate": 2e-4, "schedule": "cosine"},
}
_RECOMMENDED = {
    "model": {
        "backbone": "efficientnet_lite0+efficientnet_lite1+efficientnet_lite2", "weights": "imagenet",
        "head": {"name": "linear", "pooling": "stages"},
    },
    "training": {"strategy": "probe", "views": 1},
    "prediction": {"tta": "flips"},
}  # fmt: skip


def _bacon(weights: str, positive: str | None, ratio: float, kernel_size: int, learning_rate: float) -> dict:
    head = {"name": "conv_skip", "ratio": ratio, "filters": 16, "kernel_size": kernel_size, "dropout": 0.5}
    return {
        "data": {"image_size": 256, "positive": positive},
        "augment": _BACON_CHANGES,
        "model": {"backbone": "resnet50", "weights": weights, "scaling": "bacon", **_ADAPT, "head": head},
        "training": {
            "unfreeze": "top5", "counting": "reference", "epochs": 30, "batch_size": 64, "schedule": "cosine",
            "learning_rate": learning_rate, "optimizer": "sgd", "momentum": 0.9, "weight_decay": 0.4,
            "weight_decay_mode": "coupled", "decay_bias_and_norm": True, "monitor": "val_auc",
        },
    }  # fmt: skip


_BACON_GRID = {
    "data": {"image_size": 256},
    "augment": _BACON_CHANGES,
    "model": {
        "backbone": "resnet50", "weights": "imagenet", "scaling": "bacon", **_ADAPT,
        "head": {"name": "conv_skip", "ratio": 0.5, "filters": 4, "kernel_size": 2, "dropout": 0.5},
    },
    "training": {
        "unfreeze": "none", "counting": "reference", "epochs": 5, "batch_size": 64, "schedule": "cosine",
        "learning_rate": 1e-4, "optimizer": "adam", "weight_decay": 1e-5, "weight_decay_mode": "coupled",
    },
}  # fmt: skip
_RADIMAGENET = {
    "data": {"image_size": 256},
    "split": {"folds": 5},
    "augment": _RADIMAGENET_CHANGES,
    "model": {
        "backbone": "resnet50", "weights": "radimagenet", "scaling": "bgr_mean_255", "batchnorm": "inference",
        "head": {"name": "linear", "input_dropout": 0.5},
    },
    "training": {
        "unfreeze": "none", "epochs": 30, "batch_size": 256, "learning_rate": 1e-3, "optimizer": "adam",
        "schedule": "constant", "monitor": "val_loss",
    },
}  # fmt: skip
_FTS = {
    "data": {"image_size": 224, "resize": "crop", "resize_side": 232},
    "augment": _NO_CHANGES,
    "model": {"backbone": "resnet50", "weights": "imagenet", **_ADAPT, "head": {"name": "linear"}},
    "training": {
        "strategy": "ft", "counting": "fts", "epochs": 50, "batch_size": 64, "learning_rate": 1e-4,
        "optimizer": "adam", "schedule": "constant", "patience": 5,
    },
}  # fmt: skip
_CBIS = {
    "data": {"image_size": 224, "resize": "stretch", "clahe": 2.0},
    "split": {"train": 0.8, "val": 0.1, "test": 0.1},
    "augment": _NO_CHANGES,
    "model": {
        "backbone": "resnet50", "weights": "imagenet", "scaling": "zero_one",
        "head": {"name": "linear", "pooling": "flatten", "input_dropout": 0.6, "l2": 0.05},
    },
    "training": {
        "unfreeze": "top1", "epochs": 50, "batch_size": 32, "learning_rate": 1e-5, "optimizer": "adam",
        "schedule": "constant", "monitor": "val_loss", "patience": 5,
    },
}  # fmt: skip

PRESETS: dict[str, dict] = {
    "quickstart": _QUICKSTART,
    "recommended": _RECOMMENDED,
    "breast": _bacon("imagenet", "malignant", ratio=1.0, kernel_size=2, learning_rate=5e-4),
    "acl": _bacon("imagenet", None, ratio=0.5, kernel_size=4, learning_rate=1e-3),
    "breast_radimagenet": _bacon("radimagenet", "malignant", ratio=1.0, kernel_size=2, learning_rate=5e-4),
    "acl_radimagenet": _bacon("radimagenet", None, ratio=0.5, kernel_size=4, learning_rate=1e-3),
    "bacon_grid": _BACON_GRID,
    "radimagenet": _RADIMAGENET,
    "fts": _FTS,
    "cbis": _CBIS,
}


TITLES = {  # title and source of each preset
    "quickstart": ("a few minutes on a laptop, on simulated breast ultrasound", "this package"),
    "recommended": ("an exact probe on the stages of three backbones, for a few hundred images", "this package"),
    "breast": ("best breast-ultrasound model of BACON, ImageNet weights", "arXiv 2508.17567, table 6, and its code"),
    "acl": ("best knee-MRI model of BACON, ImageNet weights", "arXiv 2508.17567, table 7, and its code"),
    "breast_radimagenet": ("breast with RadImageNet weights", "arXiv 2508.17567, table 6"),
    "acl_radimagenet": ("acl with RadImageNet weights", "arXiv 2508.17567, table 7"),
    "bacon_grid": (
        "one of the 176 frozen-backbone runs of BACON; arguments select the others",
        "arXiv 2508.17567, 4.3",
    ),
    "radimagenet": ("the training scripts of RadImageNet", "github.com/BMEII-AI/RadImageNet, acl and breast"),
    "fts": ("full fine-tuning of the FTS study; `strategy` selects the others", "Davila et al., sections 3 and 4"),
    "cbis": ("ResNet50 on mammography crops", "Fenne 2024"),
}
OWN_DATA = {"quickstart": ("positive", "image_size")}  # keys of `data` that apply only to the preset's own data
_OWN_DATA = ("positive",)  # of all other presets
_EXACT: dict[str, dict] = {  # what an exact solver needs
    "model": {
        "batchnorm": "inference", "head": {"name": "linear", "pooling": "average", "input_dropout": 0.0, "l2": 0.0},
    },
    "training": {"unfreeze": "none", "loss": "cross_entropy", "sampling": "none", "initial_head": "kaiming"},
}  # fmt: skip
_BASELINE = {  # a baseline on pixels
    "augment": _NO_CHANGES | {"vertical_flip": False, "brightness": 0.0, "contrast": 0.0, "blur": 0.0},
    "model": {
        **_EXACT["model"], "backbone": "pixels", "weights": "none", "scaling": None,
        "head": {**_EXACT["model"]["head"], "pooling": "flatten"},
    },
    "training": {**_EXACT["training"], "views": 1, "class_weight": "none", "precision": "float32"},
    "prediction": {"tta": "none"},
}  # fmt: skip
# by strategy: values that replace those of a preset with another strategy
STRATEGY_VALUES: dict[str | None, dict] = {"probe": _EXACT, "lasso": _BASELINE, "logistic": _BASELINE}
_OF_PROBE = {"views", "inner_folds", "one_standard_error", "batch_size", "class_weight", "precision", "deterministic"}
_OF_BACKBONE = {"backbone", "weights", "weights_dir", "scaling", "head"}


def list_presets() -> pd.DataFrame:
    """Return the presets, indexed by name, with the columns `title` and `source`."""
    import pandas as pd

    rows = {name: dict(zip(("title", "source"), TITLES[name], strict=True)) for name in PRESETS}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("preset")


def default_preset(changes: Mapping) -> str:
    """Return the preset of a configuration that names none.

    It is `quickstart` for simulated images and `recommended` for all other data. Values of `model` and `training` that
    the strategy of `recommended` does not use are for a recipe of one's own: they change `quickstart`.

    Args:
        changes: Nested values by section and key.
    """
    if not _other_data(changes):
        return "quickstart"
    training, model = (_table(changes, name) for name in ("training", "model"))
    same = training.get("strategy") == _table(_RECOMMENDED, "training")["strategy"]
    other = set(training) - _OF_PROBE - ({"strategy"} if same else set())
    other |= set(model) - _OF_BACKBONE | set(_table(model, "head")) - {"pooling"}
    return "quickstart" if other else "recommended"


def _other_data(changes: Mapping) -> bool:
    """Return whether changes name data other than the simulated images of the package."""
    return _table(changes, "data").get("path", SIMULATED) != SIMULATED


def _table(values: Mapping, name: str) -> Mapping:
    table = values.get(name)
    return table if isinstance(table, Mapping) else {}


def preset_values(name: str, changes: Mapping) -> dict:
    """Return the nested values of a preset on which changes are made.

    Keys such as the positive class apply only to the data of the preset, and are omitted if the changes name other
    data. If the changes name a strategy that cannot use the values of the preset, those of `STRATEGY_VALUES` replace
    them.

    Args:
        name: One of `PRESETS`.
        changes: Nested values by section and key.
    Raises:
        UserError: If the name is unknown; the message lists the known ones.
    """
    if not isinstance(name, str) or name not in PRESETS:  # a configuration file may contain any type
        raise UserError(f"Unknown preset {shown(name)}. Known: {', '.join(PRESETS)}")
    values = PRESETS[name]
    if "path" in _table(changes, "data") and _other_data(changes):
        own = OWN_DATA.get(name, _OWN_DATA)
        values = {**values, "data": {key: value for key, value in values.get("data", {}).items() if key not in own}}
    before, after = (_table(layer, "training").get("strategy") for layer in (values, changes))
    known = isinstance(after, str) and after != before  # a configuration file may contain any type
    return merge(values, STRATEGY_VALUES.get(after, {}) if known else {})
