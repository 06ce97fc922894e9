"""Pixel scalings of pretrained weights: one affine map per channel of uint8 pixels."""

from __future__ import annotations

from typing import NamedTuple

from keras_radtl.config import UserError

CAFFE_MEAN = (103.939, 116.779, 123.68)  # blue, green, red, of ImageNet images with pixels in [0, 255]
IMAGENET_MEAN = (0.485, 0.456, 0.406)  # red, green, blue, of ImageNet images with pixels in [0, 1]
IMAGENET_STD = (0.229, 0.224, 0.225)


class Scaling(NamedTuple):
    """The map `(pixel - offset) / divisor` of pixels in [0, 255].

    Attributes:
        bgr: Whether RGB is first converted to BGR.
        offset: Offset of each output channel.
        divisor: Divisor of each output channel.
        meaning: Short description.
    """

    bgr: bool
    offset: tuple[float, float, float]
    divisor: tuple[float, float, float]
    meaning: str


_CENTRED = Scaling(False, (127.5,) * 3, (127.5,) * 3, "RGB in [-1, 1]")

SCALINGS: dict[str, Scaling] = {
    "caffe": Scaling(True, CAFFE_MEAN, (1.0,) * 3, "BGR minus the ImageNet mean (Keras ResNet50, VGG19)"),
    "torch": Scaling(
        False,
        tuple(255 * m for m in IMAGENET_MEAN),
        tuple(255 * s for s in IMAGENET_STD),
        "RGB in [0, 1], standardized with the ImageNet mean and deviation (Keras DenseNet121, torchvision)",
    ),
    "tf": _CENTRED,
    "minus1_1": _CENTRED,
    "lite": Scaling(False, (127.0,) * 3, (128.0,) * 3, "RGB, (x - 127) / 128 (EfficientNet-Lite)"),
    "bgr_mean_255": Scaling(True, CAFFE_MEAN, (255.0,) * 3, "BGR minus the ImageNet mean, / 255 (RadImageNet scripts)"),
    "bacon": Scaling(
        True,
        CAFFE_MEAN,
        tuple(255 * s for s in reversed(IMAGENET_STD)),
        "bgr_mean_255 divided by the ImageNet standard deviation (arXiv 2508.17567)",
    ),
    "zero_one": Scaling(False, (0.0,) * 3, (255.0,) * 3, "RGB in [0, 1]"),
    "none": Scaling(False, (0.0,) * 3, (1.0,) * 3, "RGB in [0, 255], unchanged"),
}


def get_scaling(name: str) -> Scaling:
    """Return a pixel scaling by name.

    Raises:
        UserError: If the name is unknown; the message lists the known names.
    """
    if name not in SCALINGS:
        raise UserError(f"Unknown scaling {name!r}. Known: {', '.join(SCALINGS)}")
    return SCALINGS[name]
