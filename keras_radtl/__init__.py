"""Transfer learning on medical images: which backbone, weights, head, unfreezing and strategy work on your data.

Data flows one way, and the folders of the package stand in that order:

    images -> case table -> split -> input pipeline -> classifier (preprocessing + backbone + head)
           -> layer groups -> strategy (phases) -> run directory -> predictions
           -> metrics, tests, comparison -> explanation, report, export

Importing the package imports neither NumPy nor TensorFlow. It sets two variables of TensorFlow unless they are set:
TF_ENABLE_ONEDNN_OPTS=1 selects the kernels of oneDNN, which train convolutions faster on processors where they are not
the default, and TF_CPP_MIN_LOG_LEVEL=3 hides messages about devices.
`python -m keras_radtl` lists the commands.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from keras_radtl.config.schema import CHECKS
from keras_radtl.version import __version__ as __version__

if TYPE_CHECKING:
    from keras_radtl.config import (
        AugmentConfig,
        Config,
        DataConfig,
        HeadConfig,
        ModelConfig,
        PredictionConfig,
        SplitConfig,
        TrainingConfig,
        UserError,
    )
    from keras_radtl.config.presets import list_presets
    from keras_radtl.data.audit import audit_images
    from keras_radtl.models.backbones.table import list_backbones
    from keras_radtl.models.classifier import build_classifier
    from keras_radtl.models.saved_model import load_model
    from keras_radtl.reports.analysis import analyze_table
    from keras_radtl.reports.model_comparison import compare_models
    from keras_radtl.runs.run import Run, load_run
    from keras_radtl.strategies.table import list_strategies
    from keras_radtl.studies.run import run_sweep
    from keras_radtl.studies.search import run_search
    from keras_radtl.training.baseline import train_baseline
    from keras_radtl.training.train import load_data, train

__all__ = [  # the public names, each imported when it is first used
    "Config",  # everything that decides the result of a run; Config.preset("breast", data="BUSI", folds=5)
    "DataConfig",  # section `data`: images, labels, groups
    "SplitConfig",  # section `split`: shares or folds
    "AugmentConfig",  # section `augment`: ranges of the random changes
    "ModelConfig",  # section `model`: backbone, weights, scaling
    "HeadConfig",  # section `model.head`: the classifier on the features
    "TrainingConfig",  # section `training`: strategy, epochs, optimizer
    "PredictionConfig",  # section `prediction`: test-time views, threshold
    "UserError",  # raised for anything that the caller can correct
    "audit_images",  # duplicates, label conflicts, unusable files, groups
    "load_data",  # read, check and split images: a Dataset
    "build_classifier",  # a keras.Model from uint8 images to logits
    "train",  # train and test; returns a Run
    "train_baseline",  # lasso or logistic regression on pixels or features; returns a Run
    "load_run",  # open a finished run
    "Run",  # metrics, history, figures, models and predictions of a run
    "load_model",  # the keras.Model in a file model.keras
    "compare_models",  # paired tests between runs or prediction files
    "analyze_table",  # mixed model and rank tests on a table of results
    "run_sweep",  # the runs of a study, sharing their work
    "run_search",  # hyperparameter search by validation AUC
    "list_backbones",  # names, sizes, weights and layer groups
    "list_strategies",  # fine-tuning strategies
    "list_presets",  # named configurations
]
_MODULES = {
    "keras_radtl.config": __all__[:9],
    "keras_radtl.config.presets": ["list_presets"],
    "keras_radtl.data.audit": ["audit_images"],
    "keras_radtl.models.backbones.table": ["list_backbones"],
    "keras_radtl.models.classifier": ["build_classifier"],
    "keras_radtl.models.saved_model": ["load_model"],
    "keras_radtl.reports.analysis": ["analyze_table"],
    "keras_radtl.reports.model_comparison": ["compare_models"],
    "keras_radtl.runs.run": ["Run", "load_run"],
    "keras_radtl.studies.search": ["run_search"],
    "keras_radtl.strategies.table": ["list_strategies"],
    "keras_radtl.studies.run": ["run_sweep"],
    "keras_radtl.training.baseline": ["train_baseline"],
    "keras_radtl.training.train": ["load_data", "train"],
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

_NEED_TENSORFLOW = ("build_classifier", "load_model")  # their modules import Keras

if "tensorflow" not in sys.modules:  # which reads these variables once, when it is imported
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def _check_names(config) -> None:
    """Refuse a configuration that cannot be planned; the rooms that own the names are imported only now."""
    import_module("keras_radtl.training.plan").make_plan(config)


CHECKS.append(_check_names)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _NEED_TENSORFLOW:
        import_module("keras_radtl.reproducibility").import_tensorflow()  # without its messages
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
