"""Fine-tuning strategies: strategies x backbones x learning rates x seeds on one split; validation selects the rate.

    python -m keras_radtl.sweep fts --data FOLDER
    python -m keras_radtl.sweep fts --data FOLDER --backbones EfficientNet-Lite0 --epochs 12

Reports mean (standard error) over seeds with the best values in bold, the number of improvements over full fine-tuning,
and paired tests.

Reference: Davila, Colan and Hasegawa, Comparison of fine-tuning strategies for transfer learning in medical image
classification, sections 3 and 4.
"""

from __future__ import annotations

from itertools import product

from keras_radtl.config import update
from keras_radtl.config.presets import PRESETS
from keras_radtl.models.backbones.table import get_backbone
from keras_radtl.sweeps.choices import Choices
from keras_radtl.sweeps.run_list import RunSpec, name_of
from keras_radtl.sweeps.study import Factor

STRATEGIES = ("ft", "lp", "g_lf", "g_fl", "lp_ft", "l1_sp", "l2_sp", "auto_rgn")
FACTORS = (
    Factor("strategies", STRATEGIES, "fine-tuning strategies"),
    Factor("backbones", ("ResNet50", "DenseNet121", "VGG19"), "backbones", free=True),
    Factor("rates", (1e-3, 1e-4, 1e-5), "learning rates", free=True),
    Factor("seeds", (0, 1, 2), "seeds", free=True),
)
STUDY = {
    "preset": "fts",
    **PRESETS["fts"],
    "split": {"seed": 0},  # the seed of a run determines its head and the order of the images, not the split
}
COMPARE = True


def runs(choices: Choices) -> list[RunSpec]:
    """Return the list of runs."""
    config, listed = choices.config(), []
    own_size, own_side = (choices.given(f"data.{key}") is not None for key in ("image_size", "resize_side"))
    for backbone, strategy, rate, seed in product(choices.backbones, choices.strategies, choices.rates, choices.seeds):
        spec = get_backbone(backbone)
        counting = "fts" if spec.fts else "stages"
        changes = {
            "seed": seed,
            "model": {"backbone": backbone},
            "training": {"strategy": strategy, "learning_rate": rate, "counting": counting},
        }
        if not own_side and (own_size or spec.name != "resnet50"):
            changes["data"] = {"resize_side": None}  # in proportion to the image size
        factors = {"backbone": backbone, "strategy": strategy, "learning_rate": rate, "seed": seed}
        listed.append(RunSpec(name_of(*factors.values()), update(config, changes), factors))
    return listed
