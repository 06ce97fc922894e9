"""The 176 runs of the BACON grid: tasks x pretraining x backbones x schedules x 11 heads, frozen backbone, 5 epochs.

    python -m keras_radtl.sweep grid176 --data-breast FOLDER --data-acl FOLDER --weights-dir FOLDER
    python -m keras_radtl.sweep grid176 --tasks breast --data FOLDER --pretraining ImageNet --heads Linear

BatchNorm uses moving statistics, so that frozen layers are computed once; the study used `--batchnorm adapt`.
Backbones that are not in the study have the pixel scaling of their weights. The results are analyzed by the two mixed
models of the paper.

Reference: Frees et al., arXiv 2508.17567, section 4.3 and Tables 11 and 12.
"""

from __future__ import annotations

from itertools import product

from keras_radtl.config import update
from keras_radtl.config.presets import PRESETS
from keras_radtl.models.backbones.table import get_backbone
from keras_radtl.sweeps.choices import Choices
from keras_radtl.sweeps.run_list import RunSpec, name_of
from keras_radtl.sweeps.study import Factor, StudyAnalysis

TASKS = {"acl": {}, "breast": {"data": {"positive": "malignant"}}}
BACKBONES = ("ResNet50", "DenseNet121")
RATIOS, FILTERS = (0.5, 1.0), (4, 16)
HEADS = (
    ("Linear", None, None),
    *(("NonLinear", ratio, None) for ratio in RATIOS),
    *((name, ratio, filters) for name in ("Conv", "ConvSkip") for ratio in RATIOS for filters in FILTERS),
)
KEYS = {"Linear": "linear", "NonLinear": "nonlinear", "Conv": "conv", "ConvSkip": "conv_skip"}
GRID = PRESETS["bacon_grid"]
FACTORS = (
    Factor("pretraining", ("ImageNet", "RadImageNet"), "weight sets", free=True),
    Factor("backbones", BACKBONES, "backbones", free=True),
    Factor("schedules", ("cosine", "beta"), "learning-rate schedules"),
    Factor("heads", tuple(KEYS), "heads"),
)
STUDY = {
    "preset": "bacon_grid",
    **GRID,
    "model": {**GRID["model"], "batchnorm": "inference"},
    "training": {**GRID["training"], "counting": "stages"},  # all backbones have it
}
ANALYSES = (  # the models of the paper, which have no term for `fc_ratio`
    StudyAnalysis(("pretrain",), ("clf", "numfilters", "lrdecay", "backbone", "task"), "Pretraining (Table 11)"),
    StudyAnalysis(("clf",), ("task", "pretrain", "backbone", "lrdecay", "numfilters"), "Classifier (Table 12)"),
)


def runs(choices: Choices) -> list[RunSpec]:
    """Return the list of runs."""
    listed = []
    for task in choices.tasks:
        config = choices.task_config(task)
        for pretrain, backbone, schedule, (head, ratio, filters) in product(
            choices.pretraining, choices.backbones, choices.schedules, HEADS
        ):
            if head not in choices.heads:
                continue
            sizes = {key: value for key, value in (("ratio", ratio), ("filters", filters)) if value is not None}
            model = {"backbone": backbone, "weights": pretrain.lower(), "head": {"name": KEYS[head], **sizes}}
            if get_backbone(backbone).display_name not in BACKBONES:
                model["scaling"] = choices.given("model.scaling")
            changes = {"model": model, "training": {"schedule": schedule}}
            factors = {
                "task": task, "pretrain": pretrain, "backbone": backbone, "lrdecay": schedule,
                "clf": head, "fc_ratio": ratio, "numfilters": filters,
            }  # fmt: skip
            listed.append(RunSpec(name_of(*factors.values()), update(config, changes), factors))
    return listed
