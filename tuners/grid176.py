"""The 176 runs of the BACON grid: tasks x pretraining x backbones x schedules x 11 heads, frozen backbone, 5 epochs.

    python tuners/grid176.py --data-breast FOLDER --data-acl FOLDER --weights-dir FOLDER
    python tuners/grid176.py --tasks breast --data FOLDER --pretraining ImageNet --backbones EfficientNet-Lite0

BatchNorm uses moving statistics, so that what is frozen is computed once; the study's own is `--batchnorm adapt`.
Backbones that the study did not have get the pixel scaling of their weights.

Reference: Frees et al., arXiv 2508.17567, section 4.3.
"""

from __future__ import annotations

import sys
from itertools import product

from keras_radtl.config import update
from keras_radtl.config.presets import PRESETS
from keras_radtl.models.backbones.table import get_backbone
from keras_radtl.sweep import main
from keras_radtl.sweeps.run_list import RunSpec, add_levels, name_of
from keras_radtl.sweeps.tasks import add_task_options, task_config

TASKS = {"acl": {}, "breast": {"data": {"positive": "malignant"}}}
PRETRAINING = ("ImageNet", "RadImageNet")
BACKBONES = ("ResNet50", "DenseNet121")
SCHEDULES = ("cosine", "beta")
RATIOS, FILTERS = (0.5, 1.0), (4, 16)
HEADS = (
    ("Linear", None, None),
    *(("NonLinear", ratio, None) for ratio in RATIOS),
    *((name, ratio, filters) for name in ("Conv", "ConvSkip") for ratio in RATIOS for filters in FILTERS),
)
KEYS = {"Linear": "linear", "NonLinear": "nonlinear", "Conv": "conv", "ConvSkip": "conv_skip"}
GRID = PRESETS["bacon_grid"]
STUDY = {
    "preset": "bacon_grid",
    **GRID,
    "model": {**GRID["model"], "batchnorm": "inference"},
    "training": {**GRID["training"], "counting": "stages"},  # which every backbone has
}
FIXED = ("pretrain",)  # of the mixed model at the end; the other factors get random intercepts
RANDOM = ("task", "backbone", "lrdecay", "clf", "fc_ratio", "numfilters")


def add_options(group) -> None:
    """Add the levels of the factors and the data of each task."""
    add_task_options(group, TASKS)
    add_levels(group, "--pretraining", PRETRAINING, "weight sets", free=True)
    add_levels(group, "--backbones", BACKBONES, "backbones", free=True)
    add_levels(group, "--schedules", SCHEDULES, "schedules")
    add_levels(group, "--heads", tuple(KEYS), "heads")


def runs(arguments) -> list[RunSpec]:
    """Return the list of runs."""
    listed = []
    for task in arguments.tasks:
        config = task_config(arguments, task, TASKS, STUDY)
        for pretrain, backbone, schedule, (head, ratio, filters) in product(
            arguments.pretraining, arguments.backbones, arguments.schedules, HEADS
        ):
            if head not in arguments.heads:
                continue
            sizes = {key: value for key, value in (("ratio", ratio), ("filters", filters)) if value is not None}
            model = {"backbone": backbone, "weights": pretrain.lower(), "head": {"name": KEYS[head], **sizes}}
            if get_backbone(backbone).display_name not in BACKBONES:
                model["scaling"] = getattr(arguments, "model.scaling")
            changes = {"model": model, "training": {"schedule": schedule}}
            factors = {
                "task": task, "pretrain": pretrain, "backbone": backbone, "lrdecay": schedule,
                "clf": head, "fc_ratio": ratio, "numfilters": filters,
            }  # fmt: skip
            listed.append(RunSpec(name_of(*factors.values()), update(config, changes), factors))
    return listed


if __name__ == "__main__":
    sys.exit(main([__file__, *sys.argv[1:]]))
