"""Register every Keras object of the package, so that `keras.saving.load_model` can load a model of a run.

    import keras
    import keras_radtl.layers

    model = keras.saving.load_model("saved_models/RUN/model.keras")

The layers are also here to build models with.
"""

from keras_radtl.models.layers.batchnorm import BackboneBatchNormalization
from keras_radtl.models.layers.heads import ConvHead, ConvSkipHead, LinearHead, NonLinearHead
from keras_radtl.models.layers.pixel_scaling import PixelScaling
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
    "LinearHead",
    "MaskedBinaryCrossentropy",
    "NonLinearHead",
    "PixelScaling",
    "RAdam",
    "SparseFocalCrossentropy",
    "StartingPoint",
]
