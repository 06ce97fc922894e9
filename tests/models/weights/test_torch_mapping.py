"""PyTorch names are matched to Keras layers for all naming schemes, and tensors have the right axis order."""

from __future__ import annotations

import numpy as np
import pytest

from keras_radtl.config import UserError
from keras_radtl.models.backbones import efficientnet_lite
from keras_radtl.models.weights.torch_mapping import (
    EPSILONS,
    SCHEMES,
    densenet121_modules,
    map_torch_tensors,
    resnet50_modules,
    to_keras_layout,
)

LITE = {f"efficientnet_lite{number}": count for number, count in enumerate((49, 64, 64))}  # 3 per block, 1 fewer, and 2
CONVOLUTIONS = {"resnet50": 53, "densenet121": 120, **LITE}  # published numbers of layers
NORMALIZATIONS = {"resnet50": 53, "densenet121": 121, **LITE}
SCHEME_CASES = [(name, scheme) for name, schemes in SCHEMES.items() for scheme in schemes]


def tensor_names(modules, prefix=""):
    """Return the tensor names of a checkpoint with the given modules."""
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    return {
        f"{prefix}{module}.{tensor}": None
        for layer, module in modules.items()
        for tensor in (norm if layer.endswith("bn") else ("weight",))
    }


@pytest.mark.parametrize(("name", "scheme"), SCHEME_CASES)
def test_each_scheme_has_all_convolutions_and_batchnorm_layers(name, scheme):
    modules = scheme()
    kinds = [layer.rpartition("_")[2] for layer in modules]
    assert (kinds.count("conv"), kinds.count("bn")) == (CONVOLUTIONS[name], NORMALIZATIONS[name])
    assert len(set(modules.values())) == len(modules)
    assert name in EPSILONS


@pytest.mark.parametrize("prefix", ["", "backbone.", "model.encoder."])
@pytest.mark.parametrize(("name", "scheme"), SCHEME_CASES)
def test_all_tensors_are_mapped_with_any_prefix(name, scheme, prefix):
    names = tensor_names(scheme(), prefix) | {"classifier.weight": None, "classifier.bias": None}
    mapping = map_torch_tensors(name, names, "x.pt")
    assert len(mapping.tensors) == CONVOLUTIONS[name] + 4 * NORMALIZATIONS[name]
    assert set(mapping.tensors.values()) <= set(names)
    assert mapping.unmapped == ("classifier.weight", "classifier.bias")


def test_module_names_of_torchvision_and_radimagenet():
    assert resnet50_modules()["conv2_block1_0_conv"] == "layer1.0.downsample.0"
    assert resnet50_modules()["conv5_block3_3_bn"] == "layer4.2.bn3"
    assert resnet50_modules(radimagenet=True)["conv1_bn"] == "1"
    assert resnet50_modules(radimagenet=True)["conv5_block3_3_bn"] == "7.2.bn3"
    assert densenet121_modules()["conv3_block12_2_conv"] == "features.denseblock2.denselayer12.conv2"
    assert densenet121_modules("0.")["pool2_bn"] == "0.transition1.norm"
    assert densenet121_modules(part="{kind}.{number}")["conv2_block1_0_bn"] == "features.denseblock1.denselayer1.norm.1"
    assert efficientnet_lite.VARIANTS[0].torch_modules()["block7a_project_bn"] == "_blocks.15._bn2"


def test_missing_tensors_are_refused():
    names = tensor_names(resnet50_modules())
    del names["layer3.5.bn3.running_var"]
    with pytest.raises(UserError, match="1 of 265 tensors of resnet50 are missing: layer3.5.bn3.running_var"):
        map_torch_tensors("resnet50", names, "x.pt")


def test_a_deeper_network_is_refused():
    names = tensor_names(resnet50_modules()) | {"layer3.6.conv1.weight": None}
    with pytest.raises(UserError, match="another architecture; resnet50 does not have layer3.6.conv1.weight"):
        map_torch_tensors("resnet50", names, "x.pt")


def test_other_checkpoints_and_backbones_are_refused():
    with pytest.raises(UserError, match="not a checkpoint of densenet121; its first tensor is 'conv1.weight'"):
        map_torch_tensors("densenet121", tensor_names(resnet50_modules()), "x.pt")
    with pytest.raises(
        UserError, match="only supported for resnet50, densenet121, efficientnet_lite0, .*. Received: x.pt"
    ):
        map_torch_tensors("vgg19", {}, "x.pt")


def test_kernels_are_transposed_and_other_variables_are_not():
    kernel = np.arange(2 * 3 * 5 * 7).reshape(2, 3, 5, 7)  # out, in, rows, columns
    dense = to_keras_layout("conv1_conv", "kernel", kernel)
    depthwise = to_keras_layout("block1a_depthwise_conv", "kernel", kernel[:, :1])
    assert dense.shape == (5, 7, 3, 2) and depthwise.shape == (5, 7, 2, 1)
    assert dense[4, 6, 1, 0] == kernel[0, 1, 4, 6]
    assert depthwise[4, 6, 1, 0] == kernel[1, 0, 4, 6]
    gamma = np.ones(4)
    assert to_keras_layout("conv1_bn", "gamma", gamma) is gamma
