"""The unfreezing study of BACON: freeze levels 0, 1, 3, 5, 7, 9 of the ResNet50, ConvSkip head, 10 epochs.

    python tuners/unfreezing.py --data-breast FOLDER --data-acl FOLDER --weights-dir FOLDER

Levels count the nine children of the torch ResNet50 from the output; the first, a pooling, has no weights. BatchNorm
uses moving statistics, so that what is frozen is computed once; the study's own is `--batchnorm adapt`.

Reference: Frees et al., arXiv 2508.17567, section 4.4.
"""

from __future__ import annotations

import sys
from itertools import product

from keras_radtl.config import update
from keras_radtl.config.presets import PRESETS
from keras_radtl.sweep import main
from keras_radtl.sweeps.run_list import RunSpec, add_levels, name_of
from keras_radtl.sweeps.tasks import add_task_options, task_config

TASKS = {"acl": {}, "breast": {"data": {"positive": "malignant"}}}
PRETRAINING = ("ImageNet", "RadImageNet")
LEVELS = (0, 1, 3, 5, 7, 9)
GRID = PRESETS["bacon_grid"]
HEAD = {**GRID["model"]["head"], "ratio": 1.0, "filters": 16}
STUDY = {
    "preset": "bacon_grid",
    **GRID,
    "model": {**GRID["model"], "batchnorm": "inference", "head": HEAD},
    "training": {**GRID["training"], "epochs": 10},
}
FIXED = ("structure",)
RANDOM = ("task", "pretrain")


def add_options(group) -> None:
    """Add the levels of the factors and the data of each task."""
    add_task_options(group, TASKS)
    add_levels(group, "--pretraining", PRETRAINING, "weight sets", free=True)
    add_levels(group, "--levels", LEVELS, "groups that train", free=True)


def runs(arguments) -> list[RunSpec]:
    """Return the list of runs."""
    listed = []
    for task in arguments.tasks:
        config = task_config(arguments, task, TASKS, STUDY)
        for pretrain, level in product(arguments.pretraining, arguments.levels):
            changes = {
                "model": {"weights": pretrain.lower()},
                "training": {"unfreeze": f"top{level}" if level else "none"},
            }
            structure = f"unfreezetop{level}" if level else "freezeall"
            factors = {
                "task": task,
                "pretrain": pretrain,
                "backbone": "ResNet50",
                "clf": "ConvSkip",
                "structure": structure,
            }
            listed.append(RunSpec(name_of(*factors.values()), update(config, changes), factors))
    return listed


if __name__ == "__main__":
    sys.exit(main([__file__, *sys.argv[1:]]))
