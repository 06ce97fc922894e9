"""The grid of RadImageNet, to copy and edit: `python tuners/radimagenet24.py --tasks breast --data FOLDER`."""

import sys

from keras_radtl.studies import radimagenet_grid as study
from keras_radtl.sweep import main
from keras_radtl.sweeps.study import change_levels

TASKS = {"acl": {}, "breast": {"data": {"positive": "malignant"}}}
FACTORS = change_levels(
    study.FACTORS,
    pretraining=("ImageNet", "RadImageNet"),
    backbones=("IRV2", "ResNet50", "DenseNet121", "InceptionV3"),
    structures=("unfreezeall", "freezeall", "unfreezetop10"),
)
STUDY = {**study.STUDY, "split": {**study.STUDY["split"], "folds": 5}}
ANALYSES = study.ANALYSES
runs = study.runs

if __name__ == "__main__":
    sys.exit(main([__file__, *sys.argv[1:]]))
