"""The table of backbones: how each is built, its sizes, pixel scalings, layer groups and Grad-CAM layers.

A layer group is defined by its boundary, the last of its layers. It contains every layer after the previous boundary,
in the order of the graph. Every path from input to output passes through each boundary. There are up to three ways to
group the layers of a backbone, called countings:

- `stages`: the stages of the architecture, all with weights. Every backbone has this counting.
- `reference`: the nine child modules of ResNet50 in PyTorch (arXiv 2508.17567), some without weights.
- `fts`: the parameter blocks of Davila et al. Their numbers (6 for ResNet50, 9 for DenseNet121, 6 for VGG19) include
  the classifier, which is the head here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from keras_radtl.config import UserError
from keras_radtl.models.backbones import efficientnet_lite, torch_variants
from keras_radtl.models.backbones.efficientnet_lite import EfficientNetLite
from keras_radtl.models.backbones.spec import POOLING, BackboneSpec

if TYPE_CHECKING:
    import pandas as pd


def _application(name: str) -> Callable:
    def build(scaled):
        import keras

        return getattr(keras.applications, name)(include_top=False, weights=None, input_tensor=scaled).output

    return build


def _imagenet_and_radimagenet(imagenet: str) -> dict[str, str]:
    return {"imagenet": imagenet, "radimagenet": "bgr_mean_255"}


_RESNET50 = BackboneSpec(
    name="resnet50",
    display_name="ResNet50",
    layers=175,
    build=_application("ResNet50"),
    image_size=224,
    minimum_size=32,
    features=2048,
    scalings=_imagenet_and_radimagenet("caffe"),
    stages=(
        ("conv1", "pool1_pool"),
        ("conv2", "conv2_block3_out"),
        ("conv3", "conv3_block4_out"),
        ("conv4", "conv4_block6_out"),
        ("conv5", "conv5_block3_out"),
    ),
    reference=(
        ("conv1", "conv1_conv"),
        ("bn1", "conv1_bn"),
        ("relu", "conv1_relu"),
        ("maxpool", "pool1_pool"),
        ("layer1", "conv2_block3_out"),
        ("layer2", "conv3_block4_out"),
        ("layer3", "conv4_block6_out"),
        ("layer4", "conv5_block3_out"),
        ("avgpool", POOLING),
    ),
    fts=(
        ("conv1", "pool1_pool"),
        ("layer1", "conv2_block3_out"),
        ("layer2", "conv3_block4_out"),
        ("layer3", "conv4_block6_out"),
        ("layer4", "conv5_block3_out"),
    ),
    gradcam_layers=("conv4_block6_out", "conv5_block3_out"),
    torch_build=torch_variants.resnet50_torch,
)


def _lite(variant: EfficientNetLite) -> BackboneSpec:
    return BackboneSpec(
        name=variant.name,
        display_name=variant.display_name,
        layers=variant.layers,
        build=variant.build,
        image_size=variant.image_size,
        minimum_size=efficientnet_lite.MINIMUM_SIZE,
        features=efficientnet_lite.FEATURES,
        scalings={"imagenet": "lite"},
        stages=variant.stages,
        gradcam_layers=("head_activation",),
    )


_DENSENET121 = BackboneSpec(
    name="densenet121",
    display_name="DenseNet121",
    layers=427,
    build=_application("DenseNet121"),
    image_size=224,
    minimum_size=32,
    features=1024,
    scalings=_imagenet_and_radimagenet("torch"),
    stages=(
        ("conv1", "pool1"),
        ("conv2", "pool2_pool"),
        ("conv3", "pool3_pool"),
        ("conv4", "pool4_pool"),
        ("conv5", "relu"),
    ),
    fts=(
        ("conv0", "pool1"),
        ("denseblock1", "conv2_block6_concat"),
        ("transition1", "pool2_pool"),
        ("denseblock2", "conv3_block12_concat"),
        ("transition2", "pool3_pool"),
        ("denseblock3", "conv4_block24_concat"),
        ("transition3", "pool4_pool"),
        ("denseblock4", "relu"),
    ),
    gradcam_layers=("conv5_block16_concat",),
    torch_build=torch_variants.densenet121_torch,
)

_INCEPTION_V3 = BackboneSpec(
    name="inception_v3",
    display_name="InceptionV3",
    layers=311,
    build=_application("InceptionV3"),
    image_size=299,
    minimum_size=75,
    features=2048,
    scalings=_imagenet_and_radimagenet("tf"),
    stages=(
        ("stem", "max_pooling2d_1"),
        ("inception_a", "mixed2"),
        ("inception_b", "mixed7"),
        ("inception_c", "mixed10"),
    ),
    gradcam_layers=("mixed10",),
)

_INCEPTION_RESNET_V2 = BackboneSpec(
    name="inception_resnet_v2",
    display_name="InceptionResNetV2",
    layers=780,
    build=_application("InceptionResNetV2"),
    image_size=299,
    minimum_size=75,
    features=1536,
    scalings=_imagenet_and_radimagenet("tf"),
    stages=(
        ("stem", "max_pooling2d_1"),
        ("block35", "block35_10_ac"),
        ("block17", "block17_20_ac"),
        ("block8", "conv_7b_ac"),
    ),
    gradcam_layers=("conv_7b_ac",),
)

_VGG19_BLOCKS = tuple((f"block{i}", f"block{i}_pool") for i in range(1, 6))
_VGG19 = BackboneSpec(
    name="vgg19",
    display_name="VGG19",
    layers=22,
    build=_application("VGG19"),
    image_size=224,
    minimum_size=32,
    features=512,
    scalings={"imagenet": "caffe"},
    stages=_VGG19_BLOCKS,
    fts=_VGG19_BLOCKS,
    gradcam_layers=("block5_conv4",),
)


def _grey_pixels(scaled):
    from keras_radtl.models.layers.grey_pixels import GreyPixels

    return GreyPixels(name="pixels")(scaled)


_PIXELS = BackboneSpec(  # for statistical baselines: the image itself
    name="pixels",
    display_name="Pixels",
    build=_grey_pixels,
    image_size=224,
    minimum_size=1,
    features=1,
    scalings={},
    stages=(("pixels", "pixels"),),
    gradcam_layers=("pixels",),
)

BACKBONES: dict[str, BackboneSpec] = {
    spec.name: spec
    for spec in (
        _RESNET50,
        *map(_lite, efficientnet_lite.VARIANTS),
        _DENSENET121,
        _INCEPTION_V3,
        _INCEPTION_RESNET_V2,
        _VGG19,
        _PIXELS,
    )
}
_ALIASES = {"irv2": "inception_resnet_v2"}


def get_backbone(name: str) -> BackboneSpec:
    """Return a backbone by name, such as "resnet50", "ResNet50", "EfficientNet-Lite0" or "IRV2".

    Raises:
        UserError: If the name is unknown; the message lists the known names.
    """
    key = name.lower().replace("_", "").replace("-", "")
    for spec in BACKBONES.values():
        if key == spec.name.replace("_", "") or _ALIASES.get(key) == spec.name:
            return spec
    raise UserError(f"Unknown backbone {name!r}. Known: {', '.join(BACKBONES)}")


def list_backbones() -> pd.DataFrame:
    """Return a table of the available backbones.

    Returns:
        DataFrame indexed by name with the columns `display_name`, `image_size` and `minimum_size` in pixels,
        `features` (channels of the last feature map), `weights` (names of the weight sets) and `groups` (layer groups
        from input to output).
    """
    import pandas as pd

    rows = {
        spec.name: {
            "display_name": spec.display_name,
            "image_size": spec.image_size,
            "minimum_size": spec.minimum_size,
            "features": spec.features,
            "weights": ", ".join(spec.weights),
            "groups": ", ".join(name for name, _ in spec.stages),
        }
        for spec in BACKBONES.values()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("backbone")
