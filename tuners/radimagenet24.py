"""The 24 settings of RadImageNet per task: 4 backbones x 3 structures x 2 rates, five folds, mean and SD of the AUROC.

    python tuners/radimagenet24.py --tasks breast --data FOLDER --weights-dir FOLDER --pretraining RadImageNet

Each pretraining has its own 24. The rest is the preset `radimagenet`.

Reference: Mei et al., Radiology: Artificial Intelligence 4 (2022), and the scripts that came with it.
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
BACKBONES = ("IRV2", "ResNet50", "DenseNet121", "InceptionV3")
STRUCTURES = {
    "unfreezeall": ("all", (1e-3, 1e-4)),
    "freezeall": ("none", (1e-2, 1e-3)),
    "unfreezetop10": ("layers:10", (1e-2, 1e-3)),
}
STUDY = {"preset": "radimagenet", **PRESETS["radimagenet"]}
FIXED = ("pretrain",)
RANDOM = ("task", "backbone", "structure", "learning_rate")


def add_options(group) -> None:
    """Add the levels of the factors and the data of each task."""
    add_task_options(group, TASKS)
    add_levels(group, "--pretraining", PRETRAINING, "weight sets", free=True)
    add_levels(group, "--backbones", BACKBONES, "backbones", free=True)
    add_levels(group, "--structures", tuple(STRUCTURES), "what trains")


def runs(arguments) -> list[RunSpec]:
    """Return the list of runs."""
    listed = []
    for task in arguments.tasks:
        config = task_config(arguments, task, TASKS, STUDY)
        for pretrain, backbone, structure in product(arguments.pretraining, arguments.backbones, arguments.structures):
            unfreeze, rates = STRUCTURES[structure]
            for rate in rates:
                changes = {
                    "model": {"backbone": backbone, "weights": pretrain.lower()},
                    "training": {"unfreeze": unfreeze, "learning_rate": rate},
                }
                factors = {
                    "task": task, "pretrain": pretrain, "backbone": backbone, "structure": structure,
                    "learning_rate": rate,
                }  # fmt: skip
                listed.append(RunSpec(name_of(*factors.values()), update(config, changes), factors))
    return listed


if __name__ == "__main__":
    sys.exit(main([__file__, *sys.argv[1:]]))
