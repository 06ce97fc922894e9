"""The classifier: pixel scaling, one or more backbones, pooling and a head in one flat functional model.

    image (uint8) -> scaling -> backbone layers -> pooling -> head (float32 logits)

Backbone layers have the names of `keras.applications`. Names that Keras numbers over the whole session are renumbered
from the start of the backbone, so the same configuration always gives the same names. With several backbones, their
layer names begin with `backbone1_`, `backbone2_` and so on, and the layer `features` concatenates the pooled vectors.
Backbones of different pretraining sizes see the same images at different sizes (`input_sizes`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import keras

from keras_radtl.config import ModelConfig, UserError
from keras_radtl.models.backbone_cache import Backbones, build_backbones
from keras_radtl.models.backbones.branches import (
    Branch,
    branches,
    require_image_size,
    require_weight_files,
    warn_assumed_scalings,
)
from keras_radtl.models.backbones.spec import POOLING
from keras_radtl.models.groups import HEAD
from keras_radtl.models.layers.heads import make_head
from keras_radtl.models.layers.stage_pooling import StagePooling
from keras_radtl.models.memory import require_head_memory
from keras_radtl.models.weights.load import WeightReport


class Classifier(NamedTuple):
    """A classifier with a report on its pretrained weights.

    Attributes:
        model: From uint8 images to float32 logits.
        reports: Report of each branch that loaded weights.
    """

    model: keras.Model
    reports: tuple[WeightReport, ...]


def build_classifier(
    config: ModelConfig,
    num_classes: int,
    image_shape: tuple[int, int, int],
    seed: int,
    multilabel: bool = False,
    load_weights: bool = True,
    make_backbones: Callable[..., Backbones] = build_backbones,
) -> keras.Model:
    """Build a classifier with pretrained weights.

    Args:
        config: The model section of a configuration.
        num_classes: Number of classes, or of labels if `multilabel`.
        image_shape: (height, width, channels) of the uint8 images, with 1 or 3 channels.
        seed: Seed of the initial weights; equal seeds give bit-identical weights.
        multilabel: Whether each logit is for an independent label (sigmoid) instead of a class (softmax).
        load_weights: Whether to load the pretrained weights. Use False if the weights are loaded from a file later.
        make_backbones: `build_backbones`, or a `BackboneCache` to build several classifiers one after the other.

    Returns:
        Flat functional model from uint8 images (batch, height, width, channels) to float32 logits of shape (batch,
        num_classes), not compiled.

    Raises:
        UserError: If a name is unknown, the images are too small, the pretrained weights cannot be loaded, or the
            head does not fit in memory.
    """
    if load_weights:
        warn_assumed_scalings(branches(config))
    return assemble_classifier(config, num_classes, image_shape, seed, multilabel, load_weights, make_backbones).model


def assemble_classifier(
    config: ModelConfig,
    num_classes: int,
    image_shape: tuple[int, int, int],
    seed: int,
    multilabel: bool = False,
    load_weights: bool = True,
    make_backbones: Callable[..., Backbones] = build_backbones,
) -> Classifier:
    """Build a classifier and return it with a report on the pretrained weights.

    Args: Those of `build_classifier`.

    Returns:
        The model and its reports.

    Raises:
        UserError: As for `build_classifier`.
    """
    parts = branches(config)
    _require_shape(parts, image_shape)
    if load_weights:
        require_weight_files(parts)
    if num_classes < (1 if multilabel else 2):
        rule = ">= 1 for a multi-label task" if multilabel else ">= 2"
        raise UserError(f"`num_classes` must be {rule}. Received: num_classes={num_classes}")
    if config.head.pooling == "average":  # flattened features depend on the image size
        require_head_memory(config.head, sum(branch.spec.features for branch in parts), num_classes)
    backbones = make_backbones(parts, config, image_shape, seed, load_weights)
    pooled = [_pool(branch, maps, backbones, config.head.pooling) for branch, maps in zip(parts, backbones.maps)]
    features = pooled[0] if len(pooled) == 1 else keras.layers.Concatenate(name="features")(pooled)
    require_head_memory(config.head, features.shape[-1], num_classes)
    logits = make_head(config.head, num_classes, name=HEAD, seed=seed)(features)
    return Classifier(keras.Model(backbones.image, logits, name="classifier"), backbones.reports)


def _pool(branch: Branch, maps, backbones: Backbones, pooling: str):
    name = branch.prefix + POOLING
    if pooling == "average":
        return keras.layers.GlobalAveragePooling2D(name=name)(maps)
    if pooling == "flatten":
        return keras.layers.Flatten(name=name)(maps)
    layers = {layer.name: layer for layer in backbones.layers}
    return StagePooling(name=name)([layers[branch.prefix + last].output for _, last in branch.spec.stages])


def _require_shape(parts: tuple[Branch, ...], image_shape: tuple[int, int, int]) -> None:
    height, width, channels = image_shape
    if channels not in (1, 3):
        raise UserError(f"`channels` must be 1 or 3. Received: channels={channels}")
    require_image_size(parts, min(height, width))
