"""Fine-tuning strategies compared: strategies x backbones x rates x seeds on one split, rate chosen on validation.

    python tuners/fts.py --data FOLDER
    python -m keras_radtl.sweep fts --data FOLDER --backbones EfficientNet-Lite0 --epochs 12

Ends with a table of mean (standard error) over seeds, the best in bold, wins over full fine-tuning and paired tests.

Reference: Davila, Colan and Hasegawa, Comparison of fine-tuning strategies for transfer learning in medical image
classification, sections 3 and 4.
"""

from __future__ import annotations

import sys
from itertools import product

from keras_radtl.cli.options import config_from
from keras_radtl.config import update
from keras_radtl.config.presets import PRESETS
from keras_radtl.models.backbones.table import get_backbone
from keras_radtl.sweep import main
from keras_radtl.sweeps.run_list import RunSpec, add_levels, name_of

STRATEGIES = ("ft", "lp", "g_lf", "g_fl", "lp_ft", "l1_sp", "l2_sp", "auto_rgn")
BACKBONES = ("ResNet50", "DenseNet121", "VGG19")
RATES = (1e-3, 1e-4, 1e-5)
SEEDS = (0, 1, 2)
STUDY = {
    "preset": "fts",
    **PRESETS["fts"],
    "split": {"seed": 0},  # the seed of a run decides its head and the order of the images, not the split
}
COMPARE = True  # close with the table of strategies


def add_options(group) -> None:
    """Add the levels of the factors."""
    add_levels(group, "--strategies", STRATEGIES, "strategies")
    add_levels(group, "--backbones", BACKBONES, "backbones", free=True)
    add_levels(group, "--rates", RATES, "learning rates", free=True)
    add_levels(group, "--seeds", SEEDS, "seeds", free=True)


def runs(arguments) -> list[RunSpec]:
    """Return the list of runs."""
    config, listed = config_from(arguments, STUDY), []
    own_size = getattr(arguments, "data.image_size") is not None
    for backbone, strategy, rate, seed in product(
        arguments.backbones, arguments.strategies, arguments.rates, arguments.seeds
    ):
        spec = get_backbone(backbone)
        counting = "fts" if spec.fts else "stages"
        changes = {
            "seed": seed,
            "model": {"backbone": backbone},
            "training": {"strategy": strategy, "learning_rate": rate, "counting": counting},
        }
        if spec.name != "resnet50" or own_size:
            changes["data"] = {"resize_side": None}  # in proportion
        factors = {"backbone": backbone, "strategy": strategy, "learning_rate": rate, "seed": seed}
        listed.append(RunSpec(name_of(*factors.values()), update(config, changes), factors))
    return listed


if __name__ == "__main__":
    sys.exit(main([__file__, *sys.argv[1:]]))
