"""Layer groups of a classifier: which layers they hold, which of them train, and a table of both.

A classifier tells its backbones by its scaling layers, so a model loaded from a file has the groups of the one saved.
With two backbones the groups are joined from the output end: the last group of one with the last of the other, so that
`top1` opens the deepest group of both.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from keras_radtl.config import UserError
from keras_radtl.models.backbones.branches import join_groups
from keras_radtl.models.backbones.table import BackboneSpec, get_backbone

HEAD = "head"
SCALING = "scaling"
_OUTSIDE = ("image", "features", HEAD)  # layers that belong to no backbone


@dataclass(frozen=True)
class LayerGroup:
    """Some layers of the backbone, next to each other in the graph."""

    name: str
    layers: tuple[str, ...]  # names, from input to output, with or without weights
    parameters: int  # weights and moving statistics


class GroupRow(NamedTuple):
    """One layer group, or the head, with its numbers of layers and parameters."""

    group: str
    layers: int
    parameters: int  # weights and moving statistics
    trainable: int  # parameters


def _size(weights) -> int:
    return sum(math.prod(weight.shape) for weight in weights)


def model_backbones(model) -> tuple[tuple[str, BackboneSpec], ...]:
    """Return (prefix of layer names, BackboneSpec) of each backbone in a classifier, in the order of their features.

    Raises:
        ValueError: when the model was not made by `build_classifier`.
    """
    found = [la for la in model.layers if la.name.endswith(SCALING) and getattr(la, "backbone", None)]
    if not found:
        raise ValueError("`model` must be a classifier of this package: it has no scaling layer with a backbone")
    found.sort(key=lambda layer: layer.name)
    return tuple((layer.name.removesuffix(SCALING), get_backbone(layer.backbone)) for layer in found)


def backbone_layers(model, prefix: str) -> tuple[str, ...]:
    """Return the names of one backbone's layers, from input to output, with the pooling and without the scaling."""
    names = (layer.name for layer in model.layers if layer.name not in _OUTSIDE)
    return tuple(n for n in names if n.startswith(prefix) and n != prefix + SCALING)


def gradcam_layers(model) -> tuple[tuple[str, ...], ...]:
    """Return the names of the layers whose maps explain a classifier, one tuple per backbone."""
    return tuple(tuple(prefix + name for name in spec.gradcam_layers) for prefix, spec in model_backbones(model))


def _backbone_groups(model, prefix: str, spec: BackboneSpec, counting: str) -> list[LayerGroup]:
    names = backbone_layers(model, prefix)
    groups, start = [], 0
    for group, boundary in spec.boundaries(counting):
        last = prefix + boundary
        if last not in names[start:]:
            raise ValueError(f"{spec.display_name}: no layer {last!r} to end group {group!r}")
        end = names.index(last) + 1
        layers = names[start:end]
        groups.append(LayerGroup(group, layers, sum(_size(model.get_layer(n).weights) for n in layers)))
        start = end
    outside = [n for n in names[start:] if model.get_layer(n).weights]
    if outside:
        raise ValueError(f"{spec.display_name}: layers with weights in no {counting} group: {', '.join(outside)}")
    return groups


def layer_groups(model, counting: str = "stages") -> tuple[LayerGroup, ...]:
    """Return the layer groups of a classifier's backbone, from input to output; the head is not among them.

    Args:
        model: keras.Model as made by `build_classifier`, or loaded from its file.
        counting: str, `stages`, `reference` or `fts`.
    Returns:
        tuple of LayerGroup; every backbone layer that has weights is in exactly one.
    Raises:
        UserError: when the backbone is not counted that way.
        ValueError: when a layer with weights is in no group.
    """
    by_backbone = [_backbone_groups(model, prefix, spec, counting) for prefix, spec in model_backbones(model)]
    joined = []
    for parts in join_groups(by_backbone):
        layers = tuple(name for part in parts for name in part.layers)
        joined.append(LayerGroup("+".join(p.name for p in parts), layers, sum(p.parameters for p in parts)))
    return tuple(joined)


def trainable_layers(model, unfreeze: str, counting: str = "stages") -> tuple[str, ...]:
    """Return the names of the backbone layers that `unfreeze` opens.

    Args:
        model: keras.Model as made by `build_classifier`.
        unfreeze: str, `none`, `all`, `topN` (N groups from the output end) or `layers:N` (the last N Keras layers of
            the backbone with its pooling, as the `unfreezetop10` of the RadImageNet scripts counts them).
        counting: str, `stages`, `reference` or `fts`.
    Returns:
        tuple of str, from input to output.
    Raises:
        UserError: when N exceeds what there is, with the groups.
    """
    groups = layer_groups(model, counting)
    if unfreeze in ("none", "all"):
        return tuple(name for group in groups for name in group.layers) if unfreeze == "all" else ()
    if unfreeze.startswith("layers:"):
        return _last_layers(model, int(unfreeze.removeprefix("layers:")))
    count = int(unfreeze.removeprefix("top"))
    if count > len(groups):
        names = ", ".join(group.name for group in groups)
        raise UserError(f"`unfreeze` must be at most top{len(groups)}, the groups are {names}. Received: {unfreeze}")
    return tuple(name for group in groups[len(groups) - count :] for name in group.layers)


def _last_layers(model, count: int) -> tuple[str, ...]:
    chosen = []
    for prefix, spec in model_backbones(model):
        names = backbone_layers(model, prefix)
        if count > len(names):
            limit = f"at most layers:{len(names)} for {spec.display_name}"
            raise UserError(f"`unfreeze` must be {limit}. Received: layers:{count}")
        chosen.extend(names[len(names) - count :])
    return tuple(chosen)


def set_trainable(model, layers: Collection[str]) -> tuple[str, ...]:
    """Let the head and the named backbone layers train, and nothing else.

    Keras reads the flags when the model is compiled: compile again, with a new optimizer, after every change.

    Args:
        model: keras.Model as made by `build_classifier`.
        layers: names of backbone layers, as `trainable_layers` gives them.
    Returns:
        tuple of str: the paths of all weights that now train, which are exactly the trainable weights of the head and
        of the named layers.
    Raises:
        ValueError: when the model has no layer of that name.
    """
    wanted = {HEAD, *layers}
    unknown = wanted - {layer.name for layer in model.layers}
    if unknown:
        raise ValueError(f"`layers` must be names of layers of the model. Received: {', '.join(sorted(unknown))}")
    model.trainable = True
    for layer in model.layers:
        layer.trainable = layer.name in wanted
    expected = {id(weight) for name in wanted for weight in model.get_layer(name).trainable_weights}
    if expected != {id(weight) for weight in model.trainable_weights}:
        raise ValueError("The trainable weights of the model are not those of the layers asked for")
    return tuple(weight.path for weight in model.trainable_weights)


def _trainable_size(layer) -> int:
    """Return how many parameters of a layer would train if it were set to."""
    before, layer.trainable = layer.trainable, True
    size = _size(layer.trainable_weights)
    layer.trainable = before
    return size


def group_table(model, counting: str = "stages", layers: Collection[str] | None = None) -> tuple[GroupRow, ...]:
    """Return one row per layer group and one for the head, with all and with the trainable parameters.

    Args:
        model: keras.Model as made by `build_classifier`.
        counting: str, `stages`, `reference` or `fts`.
        layers: names of the backbone layers that train besides the head; None: those that are trainable now.
    Returns:
        GroupRow of each group, from input to output, the head last.
    """
    if layers is None:
        layers = {layer.name for layer in model.layers if layer.trainable}

    def row(group: str, names) -> GroupRow:
        found = [model.get_layer(name) for name in names]
        training = sum(_trainable_size(la) for la in found if la.name in layers or la.name == HEAD)
        return GroupRow(group, len(found), _size(w for la in found for w in la.weights), training)

    groups = (row(group.name, group.layers) for group in layer_groups(model, counting))
    return (*groups, row(HEAD, [HEAD]))
