"""Hyperband over heads, unfreezing, rates and optimizers: `python tuners/hyperband.py --data FOLDER [OPTIONS of tune]`.

With the default `--max-epochs 9` these are 23 trials of 1, 3 or 9 epochs, 87 epochs in all; with 27 they are 70 trials.
Edit `SPACE`, or write one to a file for `python -m keras_radtl.tune --space FILE`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import yaml

from keras_radtl.tune import main

HIDDEN = {"model.head.name": ["nonlinear", "conv_skip"]}
SPACE = {
    "model.head.name": ["linear", "nonlinear", "conv_skip"],
    "model.head.ratio": {"values": [0.25, 0.5, 1.0], "when": HIDDEN},
    "model.head.filters": {"values": [4, 16], "when": {"model.head.name": ["conv_skip"]}},
    "model.head.dropout": {"low": 0.0, "high": 0.6, "step": 0.2, "when": HIDDEN},
    "training.unfreeze": ["none", "top1", "top2", "all"],
    "training.learning_rate": {"low": 1e-5, "high": 1e-2, "log": True},
    "training.schedule": ["constant", "cosine"],
    "training.optimizer": ["adam", "sgd"],
    "training.weight_decay": {"low": 1e-6, "high": 1e-2, "log": True},
}

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        space = Path(folder) / "space.yaml"
        space.write_text(yaml.safe_dump(SPACE), encoding="utf-8")
        sys.exit(main(["--algorithm", "hyperband", "--space", str(space), *sys.argv[1:]]))
