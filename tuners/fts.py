"""Fine-tuning strategies, to copy and edit: `python tuners/fts.py --data FOLDER [OPTIONS]`."""

import sys

from keras_radtl.studies import fine_tuning_strategies as study
from keras_radtl.sweep import main
from keras_radtl.sweeps.study import change_levels

FACTORS = change_levels(
    study.FACTORS,
    strategies=("ft", "lp", "g_lf", "g_fl", "lp_ft", "l1_sp", "l2_sp", "auto_rgn"),
    backbones=("ResNet50", "DenseNet121", "VGG19"),
    rates=(1e-3, 1e-4, 1e-5),
    seeds=(0, 1, 2),
)
STUDY = {**study.STUDY, "training": {**study.STUDY["training"], "epochs": 50, "patience": 5}}
COMPARE = study.COMPARE
runs = study.runs

if __name__ == "__main__":
    sys.exit(main([__file__, *sys.argv[1:]]))
