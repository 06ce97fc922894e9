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

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keras_radtl.config import UserError
from keras_radtl.models.backbones import efficientnet_lite, torch_variants
from keras_radtl.models.backbones.efficientnet_lite import EfficientNetLite

if TYPE_CHECKING:
    import pandas as pd

Boundaries = tuple[tuple[str, str], ...]
POOLING = "pooling"  # the pooling layer that `classifier` adds after each backbone
WITHOUT_WEIGHTS = frozenset({"relu", "maxpool", "avgpool"})  # groups of the `reference` counting without weights


@dataclass(frozen=True)
class BackboneSpec:
    """One backbone.

    Attributes:
        name: Name in configurations.
        display_name: Name in `keras.applications` or in the publication.
        build: Function from scaled pixels, a Keras tensor of shape (batch, height, width, 3), to the last feature map,
            of shape (batch, rows, columns, features), with random weights.
        image_size: Image size of the pretraining in pixels.
        minimum_size: Smallest image size in pixels.
        features: Number of channels of the last feature map.
        scalings: Pixel scaling of each set of pretrained weights.
        stages: Boundaries of the `stages` counting.
        gradcam_layers: Names of the layers for Grad-CAM.
        reference: Boundaries of the `reference` counting, if there are any.
        fts: Boundaries of the `fts` counting, if there are any.
        torch_build: Like `build`, for PyTorch checkpoints, with the same layer names at the boundaries.
    """

    name: str
    display_name: str
    build: Callable
    image_size: int
    minimum_size: int
    features: int
    scalings: Mapping[str, str]
    stages: Boundaries
    gradcam_layers: tuple[str, ...]
    reference: Boundaries | None = None
    fts: Boundaries | None = None
    torch_build: Callable | None = None

    @property
    def weights(self) -> tuple[str, ...]:
        """Names of the available weight sets, "none" first."""
        return ("none", *self.scalings)

    @property
    def countings(self) -> dict[str, Boundaries]:
        """The boundaries of each available counting, as pairs of group name and last layer."""
        every = {"stages": self.stages, "reference": self.reference, "fts": self.fts}
        return {name: boundaries for name, boundaries in every.items() if boundaries}

    def boundaries(self, counting: str) -> Boundaries:
        """Return the boundaries of one counting.

        Raises:
            UserError: If the backbone does not have this counting; the message lists those it has.
        """
        if counting not in self.countings:
            known = ", ".join(self.countings)
            raise UserError(f"{self.display_name} has no layer groups for `counting={counting!r}`. Known: {known}")
        return self.countings[counting]


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
    build=_application("VGG19"),
    image_size=224,
    minimum_size=32,
    features=512,
    scalings={"imagenet": "caffe"},
    stages=_VGG19_BLOCKS,
    fts=_VGG19_BLOCKS,
    gradcam_layers=("block5_conv4",),
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
