"""The configuration of a run: its schema, presets, and conversion to and from files."""

from keras_radtl.config.data_sections import NO_CHANGES, AugmentConfig, DataConfig, PhantomConfig, SplitConfig
from keras_radtl.config.errors import UserError, require
from keras_radtl.config.lasso_section import LassoConfig
from keras_radtl.config.prediction import PredictionConfig
from keras_radtl.config.schema import Config, HeadConfig, ModelConfig, TrainingConfig
from keras_radtl.config.serialization import dumps, from_dict, load_values, set_key, to_dict, update

__all__ = [
    "NO_CHANGES",
    "AugmentConfig",
    "Config",
    "DataConfig",
    "HeadConfig",
    "LassoConfig",
    "ModelConfig",
    "PhantomConfig",
    "PredictionConfig",
    "SplitConfig",
    "TrainingConfig",
    "UserError",
    "dumps",
    "from_dict",
    "load_values",
    "require",
    "set_key",
    "to_dict",
    "update",
]
