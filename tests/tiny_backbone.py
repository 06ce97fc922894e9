"""A backbone of three small convolutions, so that tests of whole runs take about a second.

`python tests/tiny_backbone.py OPTIONS...` runs the command `fit` with this backbone available as "tiny".
"""

from __future__ import annotations

import sys


def build(scaled):
    """Add three groups of convolution, BatchNorm and ReLU, each of which halves the image size."""
    from keras import layers

    x = scaled
    for name, filters in (("stem", 4), ("middle", 6), ("last", 8)):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False, name=f"{name}_conv")(x)
        x = layers.BatchNormalization(name=f"{name}_bn")(x)
        x = layers.ReLU(name=f"{name}_relu")(x)
    return x


def register() -> None:
    """Add the backbone "tiny" to the table of backbones."""
    from keras_radtl.models.backbones.spec import BackboneSpec
    from keras_radtl.models.backbones.table import BACKBONES

    stages = tuple((name, f"{name}_relu") for name in ("stem", "middle", "last"))
    BACKBONES["tiny"] = BackboneSpec(
        name="tiny",
        display_name="Tiny",
        build=build,
        image_size=32,
        minimum_size=8,
        features=8,
        scalings={"imagenet": "tf"},
        stages=stages,
        gradcam_layers=("last_relu",),
    )


if __name__ == "__main__":
    from keras_radtl.fit import main

    register()
    sys.exit(main(sys.argv[1:]))
