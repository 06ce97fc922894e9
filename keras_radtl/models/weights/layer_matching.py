"""Which stored layer belongs to which layer of a backbone: by name, kind, order and shape, never by order alone.

Keras numbers unnamed layers over the whole session (`conv2d_94`), so a number says nothing across sessions but the
differences between numbers do: both sides are numbered from their smallest, and a layer must then agree in name, stand
in the same order, and have the same shapes. A file of a deeper network of the same family, or one with two layers
exchanged, fits by shape and is refused by this.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, NamedTuple

from keras_radtl.config import UserError
from keras_radtl.models.weights.hdf5 import StoredLayer, StoredTensor, StoredWeights

_AUTOMATIC = ("conv2d", "batch_normalization", "depthwise_conv2d", "separable_conv2d")
_VARIABLES = ("kernel", "depthwise_kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance")
_SUBCLASSES = {"backbone_batch_normalization": "batch_normalization"}  # this package's layer, the same variables


class Match(NamedTuple):
    """Stored tensors with the variables they belong to, and the names of stored layers without a place."""

    pairs: list[tuple[str, Any, StoredTensor]]  # (layer name, Keras variable, tensor)
    unmapped: tuple[str, ...]


def match_layers(layers: list, stored: StoredWeights, where: str, by_order: bool = False) -> Match:
    """Return which stored tensor belongs to which variable.

    Args:
        layers: Keras layers that have weights, in the order of the model.
        stored: what the file holds.
        where: name of the file, for messages.
        by_order: bool, take the order of a legacy file alone; for files known by their hash.
    Raises:
        UserError: when a layer has no counterpart, order or shapes differ, or a stored layer stands amid the backbone
            without a place in it.
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
        raise UserError(f"{where}: {len(stored)} layers with weights, {len(layers)} are expected")
    return list(stored)


def _by_name(layers, stored: StoredWeights, where: str) -> list[StoredLayer]:
    wanted = _normalized([layer.name for layer in layers])
    names = _normalized([layer.name for layer in stored.layers])
    twice = [name for name, count in Counter(names).items() if count > 1 and name in wanted]
    if twice:
        raise UserError(f"{where}: layer {twice[0]} is stored more than once")
    by_name = dict(zip(names, stored.layers, strict=True))
    missing = [layer.name for layer, name in zip(layers, wanted, strict=True) if name not in by_name]
    if missing:
        raise UserError(
            f"{where}: {len(missing)} of {len(layers)} layers of the backbone are not in the file and would stay "
            f"random: {', '.join(missing[:5])}{', ...' if len(missing) > 5 else ''}"
        )
    position = {id(layer): i for i, layer in enumerate(stored.layers)}
    chosen = [by_name[name] for name in wanted]
    for kind in [None] if stored.legacy else {layer.kind for layer in chosen}:
        order = [position[id(layer)] for layer in chosen if kind is None or layer.kind == kind]
        wrong = [i for i in range(1, len(order)) if order[i] < order[i - 1]]
        if wrong:
            name = stored.layers[order[wrong[0]]].name
            raise UserError(f"{where}: layers stand in another order than in the backbone, from {name} on")
    return chosen


def _by_kind(layers, stored: tuple[StoredLayer, ...], where: str) -> list[StoredLayer]:
    """Match the files of early Keras 3, which name no layers: by class and order, with equal numbers of each class."""
    chosen, used = [], Counter()
    kinds = [_kind(layer) for layer in layers]
    for kind in kinds:
        same = [layer for layer in stored if _stored_kind(layer) == kind]
        if len(same) != kinds.count(kind):
            raise UserError(f"{where}: {len(same)} layers of class {kind}, {kinds.count(kind)} are expected")
        chosen.append(same[used[kind]])
        used[kind] += 1
    return chosen


def _tensors(layer, found: StoredLayer, where: str):
    """Pair the variables of one layer with the stored tensors, checking class, names and shapes."""
    if found.kind and _stored_kind(found) != _kind(layer):
        raise UserError(f"{where}: {found.name} is a {_stored_kind(found)}, {layer.name} a {_kind(layer)}")
    variables = layer.weights
    shapes = [tuple(variable.shape) for variable in variables]
    if [tensor.shape for tensor in found.tensors] != shapes:
        raise UserError(
            f"{where}: shapes {[tensor.shape for tensor in found.tensors]} of {found.name} do not fit {layer.name}, "
            f"which has {shapes}"
        )
    for variable, tensor in zip(variables, found.tensors, strict=True):
        known = tensor.name if tensor.name in _VARIABLES else variable.name
        if known.removeprefix("depthwise_") != variable.name.removeprefix("depthwise_"):
            raise UserError(f"{where}: {found.name} stores {tensor.name} where {variable.name} is expected")
        yield layer.name, variable, tensor


def _require_outside(left: list[StoredLayer], stored: StoredWeights, used: set[int], where: str) -> None:
    """Refuse leftover layers that stand before the last one used: the file is of another network."""
    last: dict[str, int] = {}
    for i, layer in enumerate(stored.layers):
        if id(layer) in used:
            last[layer.kind] = i
    amid = [layer for i, layer in enumerate(stored.layers) if id(layer) not in used and i < last.get(layer.kind, -1)]
    if amid:
        names = ", ".join(layer.name or layer.kind for layer in amid[:3])
        raise UserError(f"{where}: another network than this backbone; it has no place for {names}")


def _kind(layer) -> str:
    name = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z0-9])(?=[A-Z][a-z])", "_", type(layer).__name__).lower()
    return _SUBCLASSES.get(name, name)


def _stored_kind(layer: StoredLayer) -> str:
    kind = layer.kind.rpartition("/")[2]
    return _SUBCLASSES.get(kind, kind)


def _normalized(names: list[str]) -> list[str]:
    """Number automatic names from the smallest of their base, and take `conv1/conv` for `conv1_conv`."""
    split = [re.fullmatch(r"(.*?)(?:_(\d+))?", name.replace("/", "_")).groups() for name in names]
    numbers: dict[str, list[int]] = {}
    for base, number in split:
        numbers.setdefault(base, []).append(int(number or 0))
    return [
        f"{base}#{int(number or 0) - min(numbers[base])}" if base in _AUTOMATIC else name.replace("/", "_")
        for name, (base, number) in zip(names, split, strict=True)
    ]
