"""The table of backbones agrees with the publications and with the built models."""

import subprocess
import sys

import pytest

from keras_radtl.config import UserError
from keras_radtl.models.backbones.table import BACKBONES, get_backbone
from keras_radtl.models.groups import backbone_layers
from keras_radtl.models.layers.scalings import SCALINGS

# Parameters without the classifier, from the Keras documentation and the EfficientNet-Lite release.
PARAMETERS = {
    "resnet50": 23_587_712,
    "efficientnet_lite0": 3_413_024,
    "efficientnet_lite1": 4_189_344,
    "efficientnet_lite2": 4_869_168,
    "densenet121": 7_037_504,
    "inception_v3": 21_802_784,
    "inception_resnet_v2": 54_336_736,
    "vgg19": 20_024_384,
    "pixels": 0,
}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("ResNet50", "resnet50"),
        ("EfficientNet-Lite0", "efficientnet_lite0"),
        ("EfficientNetLite0", "efficientnet_lite0"),
        ("DenseNet121", "densenet121"),
        ("InceptionV3", "inception_v3"),
        ("InceptionResNetV2", "inception_resnet_v2"),
        ("IRV2", "inception_resnet_v2"),
        ("VGG19", "vgg19"),
    ],
)
def test_backbones_have_the_names_used_in_publications(given, name):
    assert get_backbone(given) is get_backbone(name) is BACKBONES[name]


def test_an_unknown_backbone_is_refused_with_the_known_names():
    with pytest.raises(
        UserError, match="Unknown backbone 'resnet18'. Known: resnet50, efficientnet_lite0, efficientnet_lite1"
    ):
        get_backbone("resnet18")


@pytest.mark.parametrize("spec", BACKBONES.values(), ids=BACKBONES)
def test_every_backbone_has_known_scalings(spec):
    assert spec.weights == ("none", *spec.scalings)
    assert set(spec.scalings.values()) <= set(SCALINGS)


def test_radimagenet_weights_exist_for_four_backbones():
    names = [name for name, spec in BACKBONES.items() if "radimagenet" in spec.weights]
    assert names == ["resnet50", "densenet121", "inception_v3", "inception_resnet_v2"]
    assert all(BACKBONES[name].scalings["radimagenet"] == "bgr_mean_255" for name in names)


@pytest.mark.parametrize(("name", "blocks"), [("resnet50", 6), ("densenet121", 9), ("vgg19", 6)])
def test_the_number_of_fts_blocks_agrees_with_the_paper(name, blocks):
    assert len(BACKBONES[name].boundaries("fts")) + 1 == blocks


def test_reference_groups_are_the_child_modules_of_resnet50_in_torch():
    names = [group for group, _ in BACKBONES["resnet50"].boundaries("reference")]
    assert names == ["conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool"]


def test_an_unavailable_counting_is_refused():
    with pytest.raises(UserError, match="VGG19 has no layer groups for `counting='reference'`. Known: stages, fts"):
        BACKBONES["vgg19"].boundaries("reference")


@pytest.mark.parametrize("name", BACKBONES)
def test_the_table_agrees_with_the_models(name, small_classifier):
    spec, model = BACKBONES[name], small_classifier(name)
    head = model.get_layer("head").count_params()
    assert model.count_params() - head == PARAMETERS[name]
    assert spec.layers in (None, len(backbone_layers(model, "")))
    assert model.get_layer("pooling").output.shape[-1] == spec.features
    last_map = model.get_layer("pooling").input
    assert 1 in last_map.shape[1:3]  # at the minimum size one side has a single position
    for layer in spec.gradcam_layers:
        assert len(model.get_layer(layer).output.shape) == 4


def test_the_table_imports_without_tensorflow():
    code = (
        "import sys; from keras_radtl.models import __main__, groups, memory; "
        "from keras_radtl.models.backbones import branches, table; from keras_radtl.models.layers import head_sizes; "
        "sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
