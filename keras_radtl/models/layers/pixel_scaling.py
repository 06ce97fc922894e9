"""The first layer of every classifier, which scales pixels as the pretrained weights require."""

from __future__ import annotations

import keras
from keras import ops

from keras_radtl.models.layers.scalings import SCALINGS, Scaling, get_scaling

__all__ = ["SCALINGS", "PixelScaling", "Scaling", "get_scaling"]


@keras.saving.register_keras_serializable(package="keras_radtl")
class PixelScaling(keras.layers.Layer):
    """Resize and scale grayscale or RGB pixels for a backbone; grayscale images are repeated to three channels.

    The layer computes in float32 under every dtype policy. Resizing is bilinear, by pixel centers, without a filter
    against aliasing, as OpenCV's `INTER_LINEAR`: it serves backbones of similar sizes, such as 224 and 260 pixels.

    Args:
        scaling: Name of the scaling, a key of `SCALINGS`.
        backbone: Name of the backbone. It lets a loaded model find its layer groups.
        size: (height, width) in pixels to which images are resized; None: they keep their size.
        **kwargs: Arguments of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, 1 or 3)`, uint8 or float, 0-255, RGB order.

    Output shape:
        `(batch, height, width, 3)`, float32, in the channel order of the scaling.
    """

    def __init__(self, scaling: str, backbone: str | None = None, size: tuple[int, int] | None = None, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.scaling = scaling
        self.backbone = backbone
        self.size = None if size is None else tuple(size)
        self._numbers = get_scaling(scaling)

    def build(self, input_shape):
        if len(input_shape) != 4 or input_shape[-1] not in (1, 3):
            raise ValueError(
                f"images must have shape (batch, height, width, 1 or 3). Received: shape {tuple(input_shape)}"
            )

    def call(self, inputs):
        pixels = ops.cast(inputs, "float32")
        if self.size is not None:
            pixels = ops.image.resize(pixels, self.size, data_format="channels_last")
        if pixels.shape[-1] == 1:
            pixels = ops.repeat(pixels, 3, axis=-1)
        elif self._numbers.bgr:
            pixels = ops.flip(pixels, axis=-1)
        offset = ops.convert_to_tensor(self._numbers.offset, "float32")
        divisor = ops.convert_to_tensor(self._numbers.divisor, "float32")
        return (pixels - offset) / divisor

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *(self.size or input_shape[1:3]), 3)

    def get_config(self):
        own = {} if self.size is None else {"size": self.size}
        return {**super().get_config(), "scaling": self.scaling, "backbone": self.backbone, **own}
