"""Hyperband, to copy and edit: `python tuners/hyperband.py --data FOLDER [OPTIONS of tune]`."""

import sys

from keras_radtl.studies import hyperband as study
from keras_radtl.tune import main

SPACE = {
    **study.SPACE,
    "training.unfreeze": ["none", "top1", "top2", "all"],
    "training.optimizer": ["adam", "sgd"],
}

if __name__ == "__main__":
    sys.exit(main(["--algorithm", "hyperband", "--space", __file__, *sys.argv[1:]]))
