"""Layer groups of a classifier: which layers they hold, which of them train, and a table of both.

With two backbones the groups are joined from the output end: the last group of one with the last of the other, so that
`top1` opens the deepest group of both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import zip_longest
from typing import NamedTuple

from keras_radtl.config import ModelConfig, UserError
from keras_radtl.models.branches import Branch, branches

HEAD = "head"
_OUTSIDE = ("image", "features", HEAD)  # layers that belong to no backbone


@dataclass(frozen=True)
class LayerGroup:
    """Some layers of the backbone, next to each other in the graph."""

    name: str
    layers: tuple[str, ...]  # names, from input to output, with or without weights
    parameters: int  # weights and moving statistics


class GroupRow(NamedTuple):
    """One line of the table of groups."""

    group: str
    layers: int
    parameters: int
    trainable: int  # parameters that train as the model stands


def _size(weights) -> int:
    return sum(math.prod(weight.shape) for weight in weights)


def backbone_layers(model, branch: Branch) -> tuple[str, ...]:
    """Return the names of one backbone's layers, from input to output, with the pooling and without the scaling."""
    names = (layer.name for layer in model.layers if layer.name not in _OUTSIDE)
    return tuple(n for n in names if n.startswith(branch.prefix) and n != f"{branch.prefix}scaling")


def _branch_groups(model, branch: Branch, counting: str) -> list[LayerGroup]:
    names = backbone_layers(model, branch)
    groups, start = [], 0
    for group, boundary in branch.spec.boundaries(counting):
        last = branch.prefix + boundary
        if last not in names[start:]:
            raise ValueError(f"{branch.spec.display_name}: no layer {last!r} after {names[start - 1]!r} ends {group!r}")
        end = names.index(last) + 1
        layers = names[start:end]
        groups.append(LayerGroup(group, layers, sum(_size(model.get_layer(n).weights) for n in layers)))
        start = end
    outside = [n for n in names[start:] if model.get_layer(n).weights]
    if outside:
        raise ValueError(f"{branch.spec.display_name}: layers with weights in no {counting} group: {', '.join(outside)}")
    return groups


def layer_groups(model, config: ModelConfig, counting: str = "stages") -> tuple[LayerGroup, ...]:
    """Return the layer groups of a classifier's backbone, from input to output; the head is not among them.

    Args:
        model: keras.Model as made by `build_classifier(config, ...)`, or loaded from its file.
        config: ModelConfig of the model.
        counting: str, `stages`, `reference` or `fts`.
    Returns:
        tuple of LayerGroup; every backbone layer that has weights is in exactly one.
    Raises:
        UserError: when the backbone is not counted that way.
        ValueError: when a layer with weights is in no group.
    """
    by_branch = [_branch_groups(model, branch, counting) for branch in branches(config)]
    joined = []
    for parts in zip_longest(*(reversed(groups) for groups in by_branch)):
        parts = [part for part in parts if part is not None]
        layers = tuple(name for part in parts for name in part.layers)
        joined.append(LayerGroup("+".join(p.name for p in parts), layers, sum(p.parameters for p in parts)))
    return tuple(reversed(joined))


def trainable_layers(model, config: ModelConfig, unfreeze: str, counting: str = "stages") -> tuple[str, ...]:
    """Return the names of the backbone layers that `unfreeze` opens.

    Args:
        model: keras.Model as made by `build_classifier(config, ...)`.
        config: ModelConfig of the model.
        unfreeze: str, `none`, `all`, `topN` (N groups from the output end) or `layers:N` (the last N Keras layers of
            the backbone with its pooling, as the `unfreezetop10` of the RadImageNet scripts counts them).
        counting: str, `stages`, `reference` or `fts`.
    Returns:
        tuple of str, from input to output.
    Raises:
        UserError: when N exceeds what there is, with the groups.
    """
    groups = layer_groups(model, config, counting)
    if unfreeze in ("none", "all"):
        return tuple(name for group in groups for name in group.layers) if unfreeze == "all" else ()
    if unfreeze.startswith("layers:"):
        return _last_layers(model, config, int(unfreeze.removeprefix("layers:")))
    count = int(unfreeze.removeprefix("top"))
    if count > len(groups):
        names = ", ".join(group.name for group in groups)
        raise UserError(f"`unfreeze` must be at most top{len(groups)}, the groups are {names}. Received: {unfreeze}")
    return tuple(name for group in groups[len(groups) - count :] for name in group.layers)


def _last_layers(model, config: ModelConfig, count: int) -> tuple[str, ...]:
    chosen = []
    for branch in branches(config):
        names = backbone_layers(model, branch)
        if count > len(names):
            name = branch.spec.display_name
            raise UserError(f"`unfreeze` must be at most layers:{len(names)} for {name}. Received: layers:{count}")
        chosen.extend(names[len(names) - count :])
    return tuple(chosen)


def set_trainable(model, layers) -> tuple[str, ...]:
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


def group_table(model, config: ModelConfig, counting: str = "stages") -> tuple[GroupRow, ...]:
    """Return one row per layer group and one for the head, with parameters in all and in training.

    Args: those of `layer_groups`.
    """

    def row(name: str, layers) -> GroupRow:
        found = [model.get_layer(layer) for layer in layers]
        total, trainable = (sum(_size(getattr(la, kind)) for la in found) for kind in ("weights", "trainable_weights"))
        return GroupRow(name, len(found), total, trainable)

    groups = layer_groups(model, config, counting)
    return (*(row(group.name, group.layers) for group in groups), row(HEAD, (HEAD,)))
