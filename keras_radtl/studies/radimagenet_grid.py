"""The 24 settings of RadImageNet per task: 4 backbones x 3 structures x 2 rates, five folds, mean and SD of the AUROC.

    python -m keras_radtl.sweep radimagenet24 --tasks breast --data FOLDER --weights-dir FOLDER

Each weight set has its own 24 runs. All other values are those of the preset `radimagenet`.

In the scripts of RadImageNet the BatchNorm layers that train use the statistics of the batch. Here `model.batchnorm`
applies to the whole backbone: `adapt` if all layers train, `inference` otherwise. For `unfreezetop10` the BatchNorm
layers among the last ten layers therefore differ from the scripts.

Reference: Mei et al., Radiology: Artificial Intelligence 4 (2022), and the scripts published with it.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

from keras_radtl.config import update
from keras_radtl.config.presets import PRESETS
from keras_radtl.sweeps.choices import Choices
from keras_radtl.sweeps.run_list import RunSpec, name_of
from keras_radtl.sweeps.study import Factor, StudyAnalysis

TASKS = {"acl": {}, "breast": {"data": {"positive": "malignant"}}}


class Structure(NamedTuple):
    """Which layers train.

    Attributes:
        unfreeze: Value of `training.unfreeze`.
        batchnorm: Value of `model.batchnorm`.
        rates: Learning rates of the study.
    """

    unfreeze: str
    batchnorm: str
    rates: tuple[float, ...]


STRUCTURES = {
    "unfreezeall": Structure("all", "adapt", (1e-3, 1e-4)),
    "freezeall": Structure("none", "inference", (1e-2, 1e-3)),
    "unfreezetop10": Structure("layers:10", "inference", (1e-2, 1e-3)),
}
FACTORS = (
    Factor("pretraining", ("ImageNet", "RadImageNet"), "weight sets", free=True),
    Factor("backbones", ("IRV2", "ResNet50", "DenseNet121", "InceptionV3"), "backbones", free=True),
    Factor("structures", tuple(STRUCTURES), "layers that train"),
)
STUDY = {"preset": "radimagenet", **PRESETS["radimagenet"]}
ANALYSES = (StudyAnalysis(("pretrain",), ("task", "backbone", "structure", "learning_rate")),)


def runs(choices: Choices) -> list[RunSpec]:
    """Return the list of runs."""
    listed = []
    for task in choices.tasks:
        config = choices.task_config(task)
        for pretrain, backbone, structure in product(choices.pretraining, choices.backbones, choices.structures):
            unfreeze, batchnorm, rates = STRUCTURES[structure]
            batchnorm = choices.given("model.batchnorm") or batchnorm
            for rate in rates:
                changes = {
                    "model": {"backbone": backbone, "weights": pretrain.lower(), "batchnorm": batchnorm},
                    "training": {"unfreeze": unfreeze, "learning_rate": rate},
                }
                factors = {
                    "task": task, "pretrain": pretrain, "backbone": backbone, "structure": structure,
                    "learning_rate": rate,
                }  # fmt: skip
                listed.append(RunSpec(name_of(*factors.values()), update(config, changes), factors))
    return listed
