"""The unfreezing study of BACON, to copy and edit: `python tuners/unfreezing.py --tasks breast --data FOLDER`."""

import sys

from keras_radtl.studies import unfreezing as study
from keras_radtl.sweep import main
from keras_radtl.sweeps.study import change_levels

TASKS = {"acl": {}, "breast": {"data": {"positive": "malignant"}}}
FACTORS = change_levels(study.FACTORS, pretraining=("ImageNet", "RadImageNet"), levels=(0, 1, 3, 5, 7, 9))
STUDY = {**study.STUDY, "training": {**study.STUDY["training"], "epochs": 10}}
ANALYSES = study.ANALYSES
runs = study.runs

if __name__ == "__main__":
    sys.exit(main([__file__, *sys.argv[1:]]))
