"""How uint8 pixels become the numbers that pretrained weights were trained on: one affine map per channel."""

from __future__ import annotations

from typing import NamedTuple

from keras_radtl.config import UserError

CAFFE_MEAN = (103.939, 116.779, 123.68)  # blue, green, red: means of the ImageNet images, 0-255
IMAGENET_MEAN = (0.485, 0.456, 0.406)  # red, green, blue, of images in [0, 1]
IMAGENET_STD = (0.229, 0.224, 0.225)


class Scaling(NamedTuple):
    """The map `(pixel - offset) / divisor` on 0-255 pixels, after an optional swap of red and blue.

    `offset` and `divisor` are in the order of the output channels.
    """

    bgr: bool
    offset: tuple[float, float, float]
    divisor: tuple[float, float, float]
    meaning: str


_CENTRED = Scaling(False, (127.5,) * 3, (127.5,) * 3, "RGB in [-1, 1]")

SCALINGS: dict[str, Scaling] = {
    "caffe": Scaling(True, CAFFE_MEAN, (1.0,) * 3, "BGR less the ImageNet mean (Keras ResNet50, VGG19)"),
    "torch": Scaling(
        False,
        tuple(255 * m for m in IMAGENET_MEAN),
        tuple(255 * s for s in IMAGENET_STD),
        "RGB in [0, 1], less the ImageNet mean, by its standard deviation (Keras DenseNet121, torchvision)",
    ),
    "tf": _CENTRED,
    "minus1_1": _CENTRED,
    "lite": Scaling(False, (127.0,) * 3, (128.0,) * 3, "RGB, (x - 127) / 128 (EfficientNet-Lite)"),
    "bgr_mean_255": Scaling(True, CAFFE_MEAN, (255.0,) * 3, "BGR less the ImageNet mean, / 255 (RadImageNet scripts)"),
    "bacon": Scaling(
        True,
        CAFFE_MEAN,
        tuple(255 * s for s in reversed(IMAGENET_STD)),
        "bgr_mean_255 by the standard deviation, in BGR order (arXiv 2508.17567)",
    ),
    "zero_one": Scaling(False, (0.0,) * 3, (255.0,) * 3, "RGB in [0, 1]"),
    "none": Scaling(False, (0.0,) * 3, (1.0,) * 3, "RGB, 0-255 as they are"),
}


def get_scaling(name: str) -> Scaling:
    """Return the scaling called `name`.

    Raises:
        UserError: when there is none, with the known names.
    """
    if name not in SCALINGS:
        raise UserError(f"Unknown scaling {name!r}. Known: {', '.join(SCALINGS)}")
    return SCALINGS[name]
