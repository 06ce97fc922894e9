"""The classifier: pixel scaling, one or more backbones, pooled features and a head, in one flat functional graph.

    image (uint8) -> scaling -> backbone layers -> pooling -> head (float32 logits)

Layer names of the backbone are those of `keras.applications`; names that Keras would number by what was built before
are numbered from the start of the backbone, so that the same configuration always gives the same names. With two
backbones all names of a branch begin with `backbone1_` or `backbone2_`, and `features` joins the pooled vectors.
"""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from typing import NamedTuple

import keras

from keras_radtl.config import ModelConfig, UserError
from keras_radtl.models.backbones import POOLING
from keras_radtl.models.batchnorm import BackboneBatchNormalization
from keras_radtl.models.branches import Branch, branches
from keras_radtl.models.groups import HEAD
from keras_radtl.models.heads import make_head
from keras_radtl.models.memory import require_head_memory
from keras_radtl.models.preprocessing import PixelScaling
from keras_radtl.models.weights import WeightReport, load_backbone_weights
from keras_radtl.reproducibility import derive_seed

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
) -> keras.Model:
    """Build a classifier with its pretrained weights; see `assemble_classifier` for the report on them.

    Args:
        config: ModelConfig.
        num_classes: int, classes; with `multilabel`, labels.
        image_shape: (height, width, channels) of the uint8 images, channels 1 or 3.
        seed: int; equal seeds give equal initial weights, bit for bit.
        multilabel: bool, one independent logit per label; softmax belongs to the other case.
        load_weights: bool; False leaves the initial weights, to be overwritten from a file.
    Returns:
        keras.Model, flat and functional, from uint8 `image` to float32 logits (batch, num_classes).
    Raises:
        UserError: unknown names, images too small, weights not loadable, or too little memory for the head.
    """
    return assemble_classifier(config, num_classes, image_shape, seed, multilabel, load_weights).model


def assemble_classifier(
    config: ModelConfig,
    num_classes: int,
    image_shape: tuple[int, int, int],
    seed: int,
    multilabel: bool = False,
    load_weights: bool = True,
) -> Classifier:
    """Build a classifier and report on the weights that were loaded. Arguments as for `build_classifier`."""
    parts = branches(config)
    _require_shape(parts, image_shape)
    if num_classes < (1 if multilabel else 2):
        rule = ">= 1 for a multi-label task" if multilabel else ">= 2"
        raise UserError(f"`num_classes` must be {rule}. Received: num_classes={num_classes}")
    if config.head.pooling == "average":  # known before anything is built; else the image size decides
        require_head_memory(config.head, sum(branch.spec.features for branch in parts), num_classes)
    pool = keras.layers.GlobalAveragePooling2D if config.head.pooling == "average" else keras.layers.Flatten
    image = keras.Input(image_shape, dtype="uint8", name="image")
    pooled, reports = [], []
    for branch in parts:
        backbone, report = _build_branch(branch, config, image, seed, load_weights)
        pooled.append(pool(name=branch.prefix + POOLING)(backbone.output))
        reports += [report] if report else []
    features = pooled[0] if len(pooled) == 1 else keras.layers.Concatenate(name="features")(pooled)
    count = require_head_memory(config.head, features.shape[-1], num_classes)
    _log.info("Head %s: %s parameters", config.head.name, f"{count:,}")
    logits = make_head(config.head, num_classes, name=HEAD, seed=seed)(features)
    return Classifier(keras.Model(image, logits, name="classifier"), tuple(reports))


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


def _build_branch(branch: Branch, config: ModelConfig, image, seed: int, load_weights: bool):
    build = branch.spec.torch_build if branch.torch_geometry else branch.spec.build
    policy = keras.config.dtype_policy().name
    template = _template(build, branch.scaling, branch.spec.name, tuple(image.shape[1:]), policy)
    names = _stable_names(template)

    def rebuild(layer):
        layer_config = _seeded(layer.get_config(), derive_seed(seed, branch.prefix, names[layer.name]))
        layer_config["name"] = names[layer.name]
        if isinstance(layer, keras.layers.BatchNormalization):
            return BackboneBatchNormalization.from_config({**layer_config, "statistics": config.batchnorm})
        return type(layer).from_config(layer_config)

    backbone = keras.models.clone_model(template, input_tensors=image, clone_function=rebuild)
    report = None
    if load_weights and branch.weights != "none":
        report = load_backbone_weights(backbone, branch.spec, branch.weights, config.weights_dir)
    return (_prefixed(backbone, image, branch.prefix) if branch.prefix else backbone), report


@lru_cache(maxsize=2)  # two branches
def _template(build, scaling: str, name: str, image_shape: tuple[int, int, int], policy: str) -> keras.Model:
    """Return a backbone with the layers and names that Keras gives it, to clone; folds and runs in a row share it.

    Its layers keep the dtype policy of now, which is therefore given too.
    """
    image = keras.Input(image_shape, dtype="uint8", name="image")
    return keras.Model(image, build(PixelScaling(scaling, name, name="scaling")(image)))


def _prefixed(backbone: keras.Model, image, prefix: str) -> keras.Model:
    def rename(layer):
        return type(layer).from_config({**layer.get_config(), "name": prefix + layer.name})

    renamed = keras.models.clone_model(backbone, input_tensors=image, clone_function=rename)
    renamed.set_weights(backbone.get_weights())
    return renamed


def _stable_names(model: keras.Model) -> dict[str, str]:
    """Map layer names to names without the numbers that Keras counts over the whole process."""
    numbered = {}
    for layer in model.layers:
        base, number = re.fullmatch(r"(.*?)(?:_(\d+))?", layer.name).groups()
        if base.replace("_", "") == type(layer).__name__.lower():
            numbered[layer.name] = base, int(number or 0)
    first = {base: min(n for b, n in numbered.values() if b == base) for base, _ in numbered.values()}
    names = {layer.name: layer.name for layer in model.layers}
    for name, (base, number) in numbered.items():
        names[name] = f"{base}_{number - first[base]}" if number > first[base] else base
    return names


def _seeded(layer_config: dict, seed: int) -> dict:
    """Return a layer's configuration with every open seed in it set."""
    result = dict(layer_config)
    for key, value in layer_config.items():
        if key == "seed" and value is None:
            result[key] = seed
        elif isinstance(value, dict) and "seed" in value.get("config", {}):
            result[key] = {**value, "config": {**value["config"], "seed": derive_seed(seed, key)}}
    return result
