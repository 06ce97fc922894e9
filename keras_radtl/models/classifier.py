"""The classifier: pixel scaling, one or more backbones, pooled features and a head, in one flat functional graph.

    image (uint8) -> scaling -> backbone layers -> pooling -> head (float32 logits)

Layer names of the backbone are those of `keras.applications`; names that Keras would number by what was built before
are numbered from the start of the backbone, so that the same configuration always gives the same names. With two
backbones all names of a branch begin with `backbone1_` or `backbone2_`, and `features` joins the pooled vectors.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

import keras

from keras_radtl.config import ModelConfig, UserError
from keras_radtl.models.backbone_cache import Backbones, build_backbones
from keras_radtl.models.backbones.branches import Branch, branches, require_weight_files
from keras_radtl.models.backbones.table import POOLING
from keras_radtl.models.groups import HEAD
from keras_radtl.models.layers.heads import make_head
from keras_radtl.models.memory import require_head_memory
from keras_radtl.models.weights.load import WeightReport

_log = logging.getLogger(__name__)


class Classifier(NamedTuple):
    """A classifier and where the weights of each branch came from."""

    model: keras.Model
    reports: tuple[WeightReport, ...]  # one per branch that loaded weights


def build_classifier(
    config: ModelConfig,
    num_classes: int,
    image_shape: tuple[int, int, int],
    seed: int,
    multilabel: bool = False,
    load_weights: bool = True,
    make_backbones: Callable[..., Backbones] = build_backbones,
) -> keras.Model:
    """Build a classifier with its pretrained weights; see `assemble_classifier` for the report on them.

    Args:
        config: ModelConfig.
        num_classes: int, classes; with `multilabel`, labels.
        image_shape: (height, width, channels) of the uint8 images, channels 1 or 3.
        seed: int; equal seeds give equal initial weights, bit for bit.
        multilabel: bool, one independent logit per label; softmax belongs to the other case.
        load_weights: bool; False leaves the initial weights, to be overwritten from a file.
        make_backbones: `build_backbones`, or a `BackboneCache` when classifiers are made and used one after the other.
    Returns:
        keras.Model, flat and functional, from uint8 `image` to float32 logits (batch, num_classes).
    Raises:
        UserError: unknown names, images too small, weights not loadable, or too little memory for the head.
    """
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
    """Build a classifier and report on the weights that were loaded. Arguments as for `build_classifier`."""
    parts = branches(config)
    _require_shape(parts, image_shape)
    if load_weights:
        require_weight_files(parts)
    if num_classes < (1 if multilabel else 2):
        rule = ">= 1 for a multi-label task" if multilabel else ">= 2"
        raise UserError(f"`num_classes` must be {rule}. Received: num_classes={num_classes}")
    if config.head.pooling == "average":  # known before anything is built; else the image size decides
        require_head_memory(config.head, sum(branch.spec.features for branch in parts), num_classes)
    pool = keras.layers.GlobalAveragePooling2D if config.head.pooling == "average" else keras.layers.Flatten
    backbones = make_backbones(parts, config, image_shape, seed, load_weights)
    pooled = [pool(name=branch.prefix + POOLING)(maps) for branch, maps in zip(parts, backbones.maps, strict=True)]
    features = pooled[0] if len(pooled) == 1 else keras.layers.Concatenate(name="features")(pooled)
    count = require_head_memory(config.head, features.shape[-1], num_classes)
    _log.info("Head %s: %s parameters", config.head.name, f"{count:,}")
    logits = make_head(config.head, num_classes, name=HEAD, seed=seed)(features)
    return Classifier(keras.Model(backbones.image, logits, name="classifier"), backbones.reports)


def _require_shape(parts: tuple[Branch, ...], image_shape: tuple[int, int, int]) -> None:
    height, width, channels = image_shape
    if channels not in (1, 3):
        raise UserError(f"`channels` must be 1 or 3. Received: channels={channels}")
    for branch in parts:
        if min(height, width) < branch.spec.minimum_size:
            raise UserError(
                f"`image_size` must be at least {branch.spec.minimum_size} pixels for {branch.spec.display_name}. "
                f"Received: image_size={min(height, width)}"
            )
