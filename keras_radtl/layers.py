"""The Keras layers, losses and optimizers of the package.

Importing this module registers them, so that `keras.saving.load_model` can load the model of a run:

    import keras
    import keras_radtl.layers

    model = keras.saving.load_model("saved_models/RUN/model.keras")

The same objects can be used to build other models.
"""

# ruff: noqa: E402
from keras_radtl.reproducibility import import_tensorflow

import_tensorflow()  # first, without its messages

from keras_radtl.models.layers.batchnorm import BackboneBatchNormalization
from keras_radtl.models.layers.grey_pixels import GreyPixels
from keras_radtl.models.layers.heads import ConvHead, ConvSkipHead, LinearHead, NonLinearHead
from keras_radtl.models.layers.pixel_scaling import PixelScaling
from keras_radtl.models.layers.stage_pooling import StagePooling
from keras_radtl.models.losses import MaskedBinaryCrossentropy, SparseFocalCrossentropy
from keras_radtl.strategies.optimizer_classes import SGD, Adam, AdamW, RAdam
from keras_radtl.strategies.starting_point import StartingPoint

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "BackboneBatchNormalization",
    "ConvHead",
    "ConvSkipHead",
    "GreyPixels",
    "LinearHead",
    "MaskedBinaryCrossentropy",
    "NonLinearHead",
    "PixelScaling",
    "RAdam",
    "SparseFocalCrossentropy",
    "StagePooling",
    "StartingPoint",
]
