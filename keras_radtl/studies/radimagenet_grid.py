"""The 24 settings of RadImageNet per task: 4 backbones x 3 structures x 2 rates, five folds, mean and SD of the AUROC.

    python -m keras_radtl.sweep radimagenet24 --tasks breast --data FOLDER --weights-dir FOLDER

Each weight set has its own 24 runs. All other values are those of the preset `radimagenet`.

Reference: Mei et al., Radiology: Artificial Intelligence 4 (2022), and the scripts published with it.
"""

from __future__ import annotations

from itertools import product

from keras_radtl.config import update
from keras_radtl.config.presets import PRESETS
from keras_radtl.sweeps.choices import Choices
from keras_radtl.sweeps.run_list import RunSpec, name_of
from keras_radtl.sweeps.study import Factor

TASKS = {"acl": {}, "breast": {"data": {"positive": "malignant"}}}
STRUCTURES = {  # layers that train, and learning rates
    "unfreezeall": ("all", (1e-3, 1e-4)),
    "freezeall": ("none", (1e-2, 1e-3)),
    "unfreezetop10": ("layers:10", (1e-2, 1e-3)),
}
FACTORS = (
    Factor("pretraining", ("ImageNet", "RadImageNet"), "weight sets", free=True),
    Factor("backbones", ("IRV2", "ResNet50", "DenseNet121", "InceptionV3"), "backbones", free=True),
    Factor("structures", tuple(STRUCTURES), "layers that train"),
)
STUDY = {"preset": "radimagenet", **PRESETS["radimagenet"]}
FIXED = ("pretrain",)
RANDOM = ("task", "backbone", "structure", "learning_rate")


def runs(choices: Choices) -> list[RunSpec]:
    """Return the list of runs."""
    listed = []
    for task in choices.tasks:
        config = choices.task_config(task)
        for pretrain, backbone, structure in product(choices.pretraining, choices.backbones, choices.structures):
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
