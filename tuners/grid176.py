"""The grid of BACON, to copy and edit: `python tuners/grid176.py --data-breast FOLDER --data-acl FOLDER [OPTIONS]`."""

import sys

from keras_radtl.studies import bacon_grid as study
from keras_radtl.sweep import main
from keras_radtl.sweeps.study import change_levels

TASKS = {"acl": {}, "breast": {"data": {"positive": "malignant"}}}
FACTORS = change_levels(
    study.FACTORS,
    pretraining=("ImageNet", "RadImageNet"),
    backbones=("ResNet50", "DenseNet121"),
    schedules=("cosine", "beta"),
    heads=("Linear", "NonLinear", "Conv", "ConvSkip"),
)
STUDY = {**study.STUDY, "training": {**study.STUDY["training"], "epochs": 5, "learning_rate": 1e-4}}
ANALYSES = study.ANALYSES
runs = study.runs

if __name__ == "__main__":
    sys.exit(main([__file__, *sys.argv[1:]]))
