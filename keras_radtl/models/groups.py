"""Layer groups of a classifier: their layers, which of them are trainable, and a summary table.

The scaling layers of a classifier name its backbones, so a model loaded from a file has the same groups as the saved
one. With several backbones, groups are paired from the output backwards: `top1` unfreezes the last group of each.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from keras_radtl.config import UserError
from keras_radtl.models.backbones.branches import join_groups
from keras_radtl.models.backbones.spec import BackboneSpec
from keras_radtl.models.backbones.table import get_backbone

if TYPE_CHECKING:
    import keras

HEAD = "head"
SCALING = "scaling"
_OUTSIDE = ("image", "features", HEAD)  # layers outside the backbones


@dataclass(frozen=True)
class LayerGroup:
    """Consecutive layers of a backbone.

    Attributes:
        name: Name of the group.
        layers: Layer names from input to output, including layers without weights.
        parameters: Number of parameters, including moving statistics.
    """

    name: str
    layers: tuple[str, ...]
    parameters: int


class GroupRow(NamedTuple):
    """The size of one layer group or of the head.

    Attributes:
        group: Name of the group.
        layers: Number of layers.
        parameters: Number of parameters, including moving statistics.
        trainable: Number of trainable parameters.
    """

    group: str
    layers: int
    parameters: int
    trainable: int


def _size(weights) -> int:
    return sum(math.prod(weight.shape) for weight in weights)


def model_backbones(model: keras.Model) -> tuple[tuple[str, BackboneSpec], ...]:
    """Return the layer name prefix and the spec of each backbone, in the order of the concatenated features.

    Raises:
        ValueError: If the model was not built by `build_classifier`.
    """
    found = [la for la in model.layers if la.name.endswith(SCALING) and getattr(la, "backbone", None)]
    if not found:
        raise ValueError("`model` must be built by `build_classifier`: it has no scaling layer that names a backbone")
    found.sort(key=lambda layer: layer.name)
    return tuple((layer.name.removesuffix(SCALING), get_backbone(layer.backbone)) for layer in found)


def backbone_layers(model: keras.Model, prefix: str) -> tuple[str, ...]:
    """Return the layer names of one backbone from input to output, with its pooling but without its scaling."""
    names = (layer.name for layer in model.layers if layer.name not in _OUTSIDE)
    return tuple(n for n in names if n.startswith(prefix) and n != prefix + SCALING)


def gradcam_layers(model: keras.Model) -> tuple[tuple[str, ...], ...]:
    """Return the names of the layers that Grad-CAM uses, one tuple per backbone."""
    return tuple(tuple(prefix + name for name in spec.gradcam_layers) for prefix, spec in model_backbones(model))


def _backbone_groups(model, prefix: str, spec: BackboneSpec, counting: str) -> list[LayerGroup]:
    names = backbone_layers(model, prefix)
    groups, start = [], 0
    for group, boundary in spec.boundaries(counting):
        last = prefix + boundary
        if last not in names[start:]:
            raise ValueError(f"{spec.display_name}: the last layer {last!r} of group {group!r} does not exist")
        end = names.index(last) + 1
        layers = names[start:end]
        groups.append(LayerGroup(group, layers, sum(_size(model.get_layer(n).weights) for n in layers)))
        start = end
    outside = [n for n in names[start:] if model.get_layer(n).weights]
    if outside:
        raise ValueError(
            f"{spec.display_name}: layers with weights outside all {counting} groups: {', '.join(outside)}"
        )
    return groups


def layer_groups(model: keras.Model, counting: str = "stages") -> tuple[LayerGroup, ...]:
    """Return the layer groups of the backbones from input to output, without the head.

    Args:
        model: Classifier built by `build_classifier` or loaded from a file.
        counting: How layers are grouped: "stages", "reference" or "fts".

    Returns:
        Groups in which every backbone layer with weights occurs exactly once.

    Raises:
        UserError: If the backbone does not have this counting.
        ValueError: If a layer with weights is in no group.
    """
    by_backbone = [_backbone_groups(model, prefix, spec, counting) for prefix, spec in model_backbones(model)]
    joined = []
    for parts in join_groups(by_backbone):
        layers = tuple(name for part in parts for name in part.layers)
        joined.append(LayerGroup("+".join(p.name for p in parts), layers, sum(p.parameters for p in parts)))
    return tuple(joined)


def trainable_layers(model: keras.Model, unfreeze: str, counting: str = "stages") -> tuple[str, ...]:
    """Return the names of the backbone layers that `unfreeze` makes trainable.

    Args:
        model: Classifier built by `build_classifier`.
        unfreeze: "none", "all", "topN" (the last N groups) or "layers:N" (the last N Keras layers of each backbone
            including its pooling, which is how the RadImageNet scripts count `unfreezetop10`).
        counting: How layers are grouped: "stages", "reference" or "fts".

    Returns:
        Layer names from input to output.

    Raises:
        UserError: If N exceeds the number of groups or layers.
    """
    groups = layer_groups(model, counting)
    if unfreeze in ("none", "all"):
        return tuple(name for group in groups for name in group.layers) if unfreeze == "all" else ()
    if unfreeze.startswith("layers:"):
        return _last_layers(model, int(unfreeze.removeprefix("layers:")))
    count = int(unfreeze.removeprefix("top"))
    if count > len(groups):
        names = ", ".join(group.name for group in groups)
        raise UserError(
            f"`unfreeze` must be at most top{len(groups)}; the groups are {names}. Received: unfreeze={unfreeze!r}"
        )
    return tuple(name for group in groups[len(groups) - count :] for name in group.layers)


def _last_layers(model, count: int) -> tuple[str, ...]:
    chosen = []
    for prefix, spec in model_backbones(model):
        names = backbone_layers(model, prefix)
        if count > len(names):
            limit = f"at most layers:{len(names)} for {spec.display_name}"
            raise UserError(f"`unfreeze` must be {limit}. Received: unfreeze='layers:{count}'")
        chosen.extend(names[len(names) - count :])
    return tuple(chosen)


def set_trainable(model: keras.Model, layers: Collection[str]) -> tuple[str, ...]:
    """Make the head and the given backbone layers trainable and freeze all others.

    Compile the model with a new optimizer afterwards; Keras ignores changes of `trainable` until then.

    Args:
        model: Classifier built by `build_classifier`.
        layers: Names of backbone layers, such as those from `trainable_layers`.

    Returns:
        Paths of all trainable weights: those of the head and of the given layers.

    Raises:
        ValueError: If the model has no layer of a given name.
    """
    wanted = {HEAD, *layers}
    unknown = wanted - {layer.name for layer in model.layers}
    if unknown:
        raise ValueError(f"`layers` must be layer names of the model. Unknown: {', '.join(sorted(unknown))}")
    model.trainable = True
    for layer in model.layers:
        layer.trainable = layer.name in wanted
    expected = {id(weight) for name in wanted for weight in model.get_layer(name).trainable_weights}
    if expected != {id(weight) for weight in model.trainable_weights}:
        raise ValueError("the trainable weights of the model differ from those of the given layers")
    return tuple(weight.path for weight in model.trainable_weights)


def _trainable_size(layer) -> int:
    """Return the number of parameters of a layer that are trainable if the layer is."""
    before, layer.trainable = layer.trainable, True
    size = _size(layer.trainable_weights)
    layer.trainable = before
    return size


def group_table(
    model: keras.Model, counting: str = "stages", layers: Collection[str] | None = None
) -> tuple[GroupRow, ...]:
    """Return the number of parameters and of trainable parameters of each layer group and of the head.

    Args:
        model: Classifier built by `build_classifier`.
        counting: How layers are grouped: "stages", "reference" or "fts".
        layers: Names of the backbone layers to count as trainable. None means those that are trainable now.

    Returns:
        One row per group from input to output, then one for the head.
    """
    if layers is None:
        layers = {layer.name for layer in model.layers if layer.trainable}

    def row(group: str, names) -> GroupRow:
        found = [model.get_layer(name) for name in names]
        training = sum(_trainable_size(la) for la in found if la.name in layers or la.name == HEAD)
        return GroupRow(group, len(found), _size(w for la in found for w in la.weights), training)

    groups = (row(group.name, group.layers) for group in layer_groups(model, counting))
    return (*groups, row(HEAD, [HEAD]))
