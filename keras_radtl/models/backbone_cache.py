"""The backbones of a classifier: from the image to the last feature maps of one or more backbones.

Building one and loading its weights takes longer than some trainings of a head. Runs in a row therefore share it, one
after the other (`BackboneCache`).
"""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from typing import NamedTuple

import keras
import numpy as np

from keras_radtl.config import ModelConfig
from keras_radtl.models.backbones.branches import Branch
from keras_radtl.models.keras_internals import connections
from keras_radtl.models.layers.batchnorm import BackboneBatchNormalization
from keras_radtl.models.layers.pixel_scaling import PixelScaling
from keras_radtl.models.weights.load import WeightReport, load_backbone_weights
from keras_radtl.reproducibility import derive_seed

_log = logging.getLogger(__name__)


class Backbones(NamedTuple):
    """What stands below the pooling.

    Attributes:
        image: symbolic uint8 input.
        maps: last feature maps, one tensor a branch.
        layers: all layers from `image` to `maps`.
        reports: one per branch that loaded weights.
    """

    image: keras.KerasTensor
    maps: tuple[keras.KerasTensor, ...]
    layers: tuple[keras.layers.Layer, ...]
    reports: tuple[WeightReport, ...]


def build_backbones(
    parts: tuple[Branch, ...], config: ModelConfig, image_shape: tuple[int, int, int], seed: int, load_weights: bool
) -> Backbones:
    """Build the backbones with its first weights. Arguments as for `build_classifier`, `parts` as from `branches`."""
    image = keras.Input(image_shape, dtype="uint8", name="image")
    built = [_build_branch(branch, config, image, seed, load_weights) for branch in parts]
    layers = {id(layer): layer for backbone, _ in built for layer in backbone.layers}  # the input is in every branch
    reports = tuple(report for _, report in built if report)
    return Backbones(image, tuple(backbone.output for backbone, _ in built), tuple(layers.values()), reports)


class BackboneCache:
    """Makes backbone_cache as `build_backbones` does, and keeps the last one for a next classifier that begins with the same.

    Classifiers made from it share layers and variables: use one at a time. Each gets them as they were first built:
    the first weights are put back, and what was built on the layers since is taken off.
    """

    def __init__(self):
        self.forget()

    def __call__(self, parts, config: ModelConfig, image_shape, seed: int, load_weights: bool) -> Backbones:
        policy = keras.config.dtype_policy().name
        key = (parts, config.batchnorm, config.weights_dir, tuple(image_shape), seed, load_weights, policy)
        if key == self._key:
            self.release()
            _log.info("backbone and weights of the run before")
            return self._backbones
        self.forget()
        self._backbones, self._key = build_backbones(parts, config, image_shape, seed, load_weights), key
        variables = [variable for layer in self._backbones.layers for variable in layer.variables]
        self._first = [(variable, _read(variable)) for variable in variables]
        nodes = [found for layer in self._backbones.layers for found in connections(layer)]
        self._nodes = [(found, len(found)) for found in nodes]
        return self._backbones

    def release(self) -> None:
        """Let go of the classifier that was made last, and put the first weights back."""
        for layer in self._backbones.layers if self._backbones else ():
            layer.trainable = True
        for variable, value in self._first:
            if _read(variable).tobytes() != value.tobytes():
                variable.assign(value)
        for found, count in self._nodes:
            del found[count:]

    def forget(self) -> None:
        """Keep nothing."""
        self._key, self._backbones, self._first, self._nodes = None, None, [], []


def _read(variable) -> np.ndarray:
    """Return the value; nothing is copied on a processor, where TensorFlow does not write into what is held."""
    return np.asarray(variable.value.read_value())


def _build_branch(branch: Branch, config: ModelConfig, image, seed: int, load_weights: bool):
    build = branch.spec.torch_build if branch.torch_variant else branch.spec.build
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
