"""Match the layers in a weight file to those of a backbone by name, class, order and shape.

Keras numbers unnamed layers over the whole session (`conv2d_94`), so only differences between numbers are meaningful.
On both sides, numbers therefore count from the smallest one. Names, order and shapes must then agree. This refuses
files that fit by shape alone, such as those of a deeper network of the same family or with two layers exchanged.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, NamedTuple

from keras_radtl.config import UserError
from keras_radtl.models.weights.hdf5 import StoredLayer, StoredTensor, StoredWeights

_AUTOMATIC = ("conv2d", "batch_normalization", "depthwise_conv2d", "separable_conv2d")
_VARIABLES = ("kernel", "depthwise_kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance")
_SUBCLASSES = {"backbone_batch_normalization": "batch_normalization"}  # same variables


class Match(NamedTuple):
    """The result of `match_layers`.

    Attributes:
        pairs: Layer name, Keras variable and stored tensor of each variable.
        unmapped: Names of stored layers that the backbone does not have.
    """

    pairs: list[tuple[str, Any, StoredTensor]]
    unmapped: tuple[str, ...]


def match_layers(layers: list, stored: StoredWeights, where: str, by_order: bool = False) -> Match:
    """Match stored tensors to variables.

    Args:
        layers: Keras layers with weights, in the order of the model.
        stored: Content of the file.
        where: Name of the file, for messages.
        by_order: Whether to match by order alone. Use this only for files whose hash is known.

    Raises:
        UserError: If a layer is not in the file, order or shapes differ, or the file has additional layers between
            those of the backbone.
    """
    if by_order:
        chosen = _by_order(layers, stored.layers, where)
    elif all(layer.name for layer in stored.layers):
        chosen = _by_name(layers, stored, where)
    else:
        chosen = _by_kind(layers, stored.layers, where)
    pairs = []
    for layer, found in zip(layers, chosen, strict=True):
        pairs += _tensors(layer, found, where)
    used = {id(found) for found in chosen}
    left = [layer for layer in stored.layers if id(layer) not in used]
    _require_outside(left, stored, used, where)
    return Match(pairs, tuple(layer.name or f"{layer.kind} {layer.number}" for layer in left))


def _by_order(layers, stored: tuple[StoredLayer, ...], where: str) -> list[StoredLayer]:
    if len(stored) != len(layers):
        raise UserError(f"{where}: the file has {len(stored)} layers with weights instead of {len(layers)}")
    return list(stored)


def _by_name(layers, stored: StoredWeights, where: str) -> list[StoredLayer]:
    wanted = _normalized([layer.name for layer in layers])
    names = _normalized([layer.name for layer in stored.layers])
    counts = Counter(names)
    pairs = zip(names, stored.layers, strict=True)
    twice = [layer.name for name, layer in pairs if counts[name] > 1 and name in wanted]
    if twice:
        raise UserError(f"{where}: layer {twice[0]!r} is stored more than once")
    by_name = dict(zip(names, stored.layers, strict=True))
    missing = [layer.name for layer, name in zip(layers, wanted, strict=True) if name not in by_name]
    if missing:
        raise UserError(
            f"{where}: {len(missing)} of {len(layers)} layers of the backbone are not in the file and would keep "
            f"random weights: {', '.join(missing[:5])}{', ...' if len(missing) > 5 else ''}"
        )
    position = {id(layer): i for i, layer in enumerate(stored.layers)}
    chosen = [by_name[name] for name in wanted]
    for kind in [None] if stored.legacy else {layer.kind for layer in chosen}:
        order = [position[id(layer)] for layer in chosen if kind is None or layer.kind == kind]
        wrong = [i for i in range(1, len(order)) if order[i] < order[i - 1]]
        if wrong:
            name = stored.layers[order[wrong[0]]].name
            raise UserError(f"{where}: the order of the layers differs from the backbone, starting at {name!r}")
    return chosen


def _by_kind(layers, stored: tuple[StoredLayer, ...], where: str) -> list[StoredLayer]:
    """Match files of early Keras 3 versions, which have no layer names, by class and order."""
    chosen, used = [], Counter()
    kinds = [_kind(layer) for layer in layers]
    for kind in kinds:
        same = [layer for layer in stored if _stored_kind(layer) == kind]
        if len(same) != kinds.count(kind):
            raise UserError(f"{where}: the file has {len(same)} layers of class {kind} instead of {kinds.count(kind)}")
        chosen.append(same[used[kind]])
        used[kind] += 1
    return chosen


def _tensors(layer, found: StoredLayer, where: str):
    """Pair the variables of a layer with stored tensors, after checking class, names and shapes."""
    if found.kind and _stored_kind(found) != _kind(layer):
        raise UserError(
            f"{where}: layer {found.name!r} is a {_stored_kind(found)}, but {layer.name!r} is a {_kind(layer)}"
        )
    variables = layer.weights
    shapes = [tuple(variable.shape) for variable in variables]
    if [tensor.shape for tensor in found.tensors] != shapes:
        raise UserError(
            f"{where}: shapes {[tensor.shape for tensor in found.tensors]} of layer {found.name!r} do not fit "
            f"{layer.name!r}, which has {shapes}"
        )
    for variable, tensor in zip(variables, found.tensors, strict=True):
        known = tensor.name if tensor.name in _VARIABLES else variable.name
        if known.removeprefix("depthwise_") != variable.name.removeprefix("depthwise_"):
            raise UserError(f"{where}: layer {found.name!r} stores {tensor.name} instead of {variable.name}")
        yield layer.name, variable, tensor


def _require_outside(left: list[StoredLayer], stored: StoredWeights, used: set[int], where: str) -> None:
    """Refuse unused layers before the last used one: the file belongs to another architecture."""
    last: dict[str, int] = {}
    for i, layer in enumerate(stored.layers):
        if id(layer) in used:
            last[layer.kind] = i
    between = [layer for i, layer in enumerate(stored.layers) if id(layer) not in used and i < last.get(layer.kind, -1)]
    if between:
        names = ", ".join(layer.name or layer.kind for layer in between[:3])
        raise UserError(f"{where}: the file belongs to another architecture; the backbone does not have {names}")


def _kind(layer) -> str:
    name = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z0-9])(?=[A-Z][a-z])", "_", type(layer).__name__).lower()
    return _SUBCLASSES.get(name, name)


def _stored_kind(layer: StoredLayer) -> str:
    kind = layer.kind.rpartition("/")[2]
    return _SUBCLASSES.get(kind, kind)


def _normalized(names: list[str]) -> list[str]:
    """Renumber automatic names from 0 for each base name, and replace `conv1/conv` with `conv1_conv`."""
    split = [re.fullmatch(r"(.*?)(?:_(\d+))?", name.replace("/", "_")).groups() for name in names]
    numbers: dict[str, list[int]] = {}
    for base, number in split:
        numbers.setdefault(base, []).append(int(number or 0))
    return [
        f"{base}#{int(number or 0) - min(numbers[base])}" if base in _AUTOMATIC else name.replace("/", "_")
        for name, (base, number) in zip(names, split, strict=True)
    ]
