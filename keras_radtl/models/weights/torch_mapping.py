"""Match the tensors of a PyTorch checkpoint to the layers of a backbone.

Checkpoints use different naming schemes: that of torchvision, or that of RadImageNet, which numbers the child modules
(`backbone.0`, `backbone.4.0.conv1`). Prefixes such as `backbone.`, `model.` or `encoder.` are detected.

Reference: torchvision `models/resnet.py`, `models/densenet.py` (module names); RadImageNet `pytorch_example.ipynb`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from keras_radtl.config import UserError
from keras_radtl.models.backbones import efficientnet_lite, torch_variants
from keras_radtl.models.backbones.torch_variants import DENSENET121_LAYERS, RESNET50_BLOCKS

_BATCHNORM = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
_COUNTER = "num_batches_tracked"  # of BatchNorm; not needed for prediction


class TorchMapping(NamedTuple):
    """The result of `map_torch_tensors`.

    Attributes:
        tensors: Tensor name of each pair of Keras layer and variable name.
        unmapped: Names of tensors outside the backbone, such as those of a classifier.
    """

    tensors: dict[tuple[str, str], str]
    unmapped: tuple[str, ...]


def resnet50_modules(radimagenet: bool = False) -> dict[str, str]:
    """Return the PyTorch module name for each layer of ResNet50, as named by torchvision or RadImageNet."""
    root = {"conv1": "0", "bn1": "1"} if radimagenet else {"conv1": "conv1", "bn1": "bn1"}
    modules = {"conv1_conv": root["conv1"], "conv1_bn": root["bn1"]}
    for stage, blocks in enumerate(RESNET50_BLOCKS):
        layer = str(stage + 4) if radimagenet else f"layer{stage + 1}"
        for block in range(blocks):
            keras_name, torch_name = f"conv{stage + 2}_block{block + 1}", f"{layer}.{block}"
            if block == 0:
                modules[f"{keras_name}_0_conv"] = f"{torch_name}.downsample.0"
                modules[f"{keras_name}_0_bn"] = f"{torch_name}.downsample.1"
            for i in (1, 2, 3):
                modules[f"{keras_name}_{i}_conv"] = f"{torch_name}.conv{i}"
                modules[f"{keras_name}_{i}_bn"] = f"{torch_name}.bn{i}"
    return modules


def densenet121_modules(root: str = "features.", part: str = "{kind}{number}") -> dict[str, str]:
    """Return the PyTorch module name for each layer of DenseNet121.

    Args:
        root: Prefix of the module names: "features." (torchvision) or "0." (RadImageNet).
        part: Pattern of the module names in a dense layer: "{kind}{number}", or "{kind}.{number}" in files from before
            the end of 2017.
    """
    modules = {"conv1_conv": f"{root}conv0", "conv1_bn": f"{root}norm0", "bn": f"{root}norm5"}
    for block, count in enumerate(DENSENET121_LAYERS, start=1):
        for number in range(1, count + 1):
            keras_name, torch_name = f"conv{block + 1}_block{number}", f"{root}denseblock{block}.denselayer{number}."
            for i in (1, 2):
                modules[f"{keras_name}_{i - 1}_bn"] = torch_name + part.format(kind="norm", number=i)
                modules[f"{keras_name}_{i}_conv"] = torch_name + part.format(kind="conv", number=i)
        if block < len(DENSENET121_LAYERS):
            modules[f"pool{block + 1}_bn"] = f"{root}transition{block}.norm"
            modules[f"pool{block + 1}_conv"] = f"{root}transition{block}.conv"
    return modules


SCHEMES: dict[str, tuple[Callable[[], dict[str, str]], ...]] = {
    "resnet50": (resnet50_modules, lambda: resnet50_modules(radimagenet=True)),
    "densenet121": (
        densenet121_modules,
        lambda: densenet121_modules("0."),
        lambda: densenet121_modules(part="{kind}.{number}"),
    ),
    **{variant.name: (variant.torch_modules,) for variant in efficientnet_lite.VARIANTS},
}
EPSILONS = {  # BatchNorm epsilon of the checkpoints
    "resnet50": torch_variants.BATCHNORM_EPSILON,
    "densenet121": torch_variants.BATCHNORM_EPSILON,
    **{variant.name: efficientnet_lite.BATCHNORM_EPSILON for variant in efficientnet_lite.VARIANTS},
}


def map_torch_tensors(backbone: str, names: Mapping[str, object], where: str) -> TorchMapping:
    """Match the tensors of a checkpoint to the variables of a backbone.

    Args:
        backbone: Name of the backbone.
        names: The checkpoint, or any mapping with its tensor names as keys.
        where: Name of the file, for messages.

    Raises:
        UserError: If PyTorch checkpoints are not supported for the backbone, tensors are missing, or the checkpoint
            has additional tensors inside the backbone, such as those of a deeper network of the same family.
    """
    if backbone not in SCHEMES:
        raise UserError(
            f"PyTorch checkpoints are only supported for {', '.join(SCHEMES)}. Received: {where} for {backbone}"
        )
    candidates = [candidate for scheme in SCHEMES[backbone] for candidate in _candidates(scheme(), names)]
    if not candidates:
        raise UserError(f"{where}: not a checkpoint of {backbone}; its first tensor is {next(iter(names), None)!r}")
    prefix, tensors = max(candidates, key=lambda candidate: sum(name in names for name in candidate[1].values()))
    missing = [name for name in tensors.values() if name not in names]
    if missing:
        raise UserError(
            f"{where}: {len(missing)} of {len(tensors)} tensors of {backbone} are missing: {_some(missing)}"
        )
    used = set(tensors.values())
    roots = {name.removeprefix(prefix).split(".")[0] for name in used}
    unused = tuple(name for name in names if name not in used and not name.endswith(_COUNTER))
    inside = [name for name in unused if name.startswith(prefix) and name.removeprefix(prefix).split(".")[0] in roots]
    if inside:
        raise UserError(
            f"{where}: the checkpoint belongs to another architecture; {backbone} does not have {_some(inside)}"
        )
    return TorchMapping(tensors, unused)


def _candidates(modules: dict[str, str], names) -> list[tuple[str, dict[tuple[str, str], str]]]:
    """Return each possible prefix of the names, with the tensor names that it implies."""
    first = next(iter(modules.values())) + ".weight"
    prefixes = [name.removesuffix(first) for name in names if name == first or name.endswith("." + first)]
    return [(prefix, _tensor_names(modules, prefix)) for prefix in prefixes]


def _tensor_names(modules: dict[str, str], prefix: str) -> dict[tuple[str, str], str]:
    tensors = {}
    for layer, module in modules.items():
        if layer.split("_")[-1] == "bn":
            tensors |= {(layer, name): f"{prefix}{module}.{torch_name}" for name, torch_name in _BATCHNORM.items()}
        else:
            tensors[layer, "kernel"] = f"{prefix}{module}.weight"
    return tensors


def to_keras_layout(layer: str, variable: str, values: np.ndarray) -> np.ndarray:
    """Return a PyTorch tensor in the axis order of Keras.

    Args:
        layer: Name of the Keras layer; names of depthwise convolutions end in "depthwise_conv".
        variable: Name of the variable. Only four-dimensional kernels are transposed, from (out, in, rows, columns) to
            (rows, columns, in, out).
        values: The tensor.
    """
    if variable != "kernel" or values.ndim != 4:
        return values
    return values.transpose(2, 3, 0, 1) if layer.endswith("depthwise_conv") else values.transpose(2, 3, 1, 0)


def _some(names) -> str:
    return ", ".join(list(names)[:3]) + (", ..." if len(names) > 3 else "")
