"""The unfreezing study of BACON: freeze levels 0, 1, 3, 5, 7, 9 of the ResNet50, ConvSkip head, 10 epochs.

    python -m keras_radtl.sweep unfreezing --data-breast FOLDER --data-acl FOLDER --weights-dir FOLDER

A level is a number of children of the PyTorch ResNet50, counted from the output. The first of the nine is a pooling
layer without weights. BatchNorm uses moving statistics, so that frozen layers are computed once; the study used
`--batchnorm adapt`.

Reference: Frees et al., arXiv 2508.17567, section 4.4.
"""

from __future__ import annotations

from itertools import product

from keras_radtl.config import update
from keras_radtl.config.presets import PRESETS
from keras_radtl.sweeps.choices import Choices
from keras_radtl.sweeps.run_list import RunSpec, name_of
from keras_radtl.sweeps.study import Factor, StudyAnalysis

TASKS = {"acl": {}, "breast": {"data": {"positive": "malignant"}}}
FACTORS = (
    Factor("pretraining", ("ImageNet", "RadImageNet"), "weight sets", free=True),
    Factor("levels", (0, 1, 3, 5, 7, 9), "number of layer groups that train", free=True),
)
GRID = PRESETS["bacon_grid"]
HEAD = {**GRID["model"]["head"], "ratio": 1.0, "filters": 16}
STUDY = {
    "preset": "bacon_grid",
    **GRID,
    "model": {**GRID["model"], "batchnorm": "inference", "head": HEAD},
    "training": {**GRID["training"], "epochs": 10},
}
ANALYSES = (StudyAnalysis(("structure",), ("task", "pretrain")),)


def runs(choices: Choices) -> list[RunSpec]:
    """Return the list of runs."""
    listed = []
    for task in choices.tasks:
        config = choices.task_config(task)
        for pretrain, level in product(choices.pretraining, choices.levels):
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
