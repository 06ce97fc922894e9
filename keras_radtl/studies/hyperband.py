"""Search space for Hyperband: heads, unfreezing, learning rates and optimizers.

    python -m keras_radtl.tune --space hyperband --data FOLDER

With the default of 9 epochs, Hyperband runs 23 trials of 1, 3 or 9 epochs, 87 epochs in total. With `--max-epochs 27`
it runs 70 trials.

Reference: Li et al., Hyperband, Journal of Machine Learning Research 18 (2018), algorithm 1.
"""

from __future__ import annotations

HIDDEN = {"model.head.name": ["nonlinear", "conv_skip"]}  # heads with a hidden layer
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
