"""The backbones of a classifier, from the image to their last feature maps, and a cache to reuse them.

Building a backbone and loading its pretrained weights can take longer than training a head. Consecutive runs in a
process can therefore reuse one (`BackboneCache`).
"""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from typing import NamedTuple

import keras
import numpy as np

from keras_radtl.config import ModelConfig
from keras_radtl.models.backbones.branches import Branch, input_sizes
from keras_radtl.models.keras_internals import connections
from keras_radtl.models.layers.batchnorm import BackboneBatchNormalization
from keras_radtl.models.layers.pixel_scaling import PixelScaling
from keras_radtl.models.weights.load import WeightReport, load_backbone_weights
from keras_radtl.reproducibility import derive_seed

_log = logging.getLogger(__name__)


class Backbones(NamedTuple):
    """The part of a classifier before the pooling.

    Attributes:
        image: Symbolic uint8 input.
        maps: Last feature map of each branch.
        layers: All layers from `image` to `maps`.
        reports: Report of each branch that loaded weights.
    """

    image: keras.KerasTensor
    maps: tuple[keras.KerasTensor, ...]
    layers: tuple[keras.layers.Layer, ...]
    reports: tuple[WeightReport, ...]


def build_backbones(
    parts: tuple[Branch, ...], config: ModelConfig, image_shape: tuple[int, int, int], seed: int, load_weights: bool
) -> Backbones:
    """Build the backbones with their initial or pretrained weights.

    Args:
        parts: The branches, from `branches`.
        config: The model section of a configuration.
        image_shape: (height, width, channels) of the uint8 images.
        seed: Seed of the initial weights.
        load_weights: Whether to load the pretrained weights.

    Returns:
        The input, the feature maps and the layers between them.

    Raises:
        UserError: If the pretrained weights cannot be loaded.
    """
    image = keras.Input(image_shape, dtype="uint8", name="image")
    sizes = zip(*(input_sizes(parts, side) for side in image_shape[:2]), strict=True)
    built = [
        _build_branch(branch, config, image, None if size == tuple(image_shape[:2]) else size, seed, load_weights)
        for branch, size in zip(parts, sizes, strict=True)
    ]
    layers = {id(layer): layer for backbone, _ in built for layer in backbone.layers}  # the input is shared
    reports = tuple(report for _, report in built if report)
    return Backbones(image, tuple(backbone.output for backbone, _ in built), tuple(layers.values()), reports)


class BackboneCache:
    """A drop-in for `build_backbones` that reuses the last backbones if they are requested again.

    Classifiers built with the same cache share layers and variables, so use only one of them at a time. Each call
    returns the backbones as they were first built: with their original weights, and without the layers that an earlier
    classifier added to the graph.
    """

    def __init__(self):
        self.clear()

    def __call__(
        self,
        parts: tuple[Branch, ...],
        config: ModelConfig,
        image_shape: tuple[int, int, int],
        seed: int,
        load_weights: bool,
    ) -> Backbones:
        """Return the backbones, reused or newly built; the arguments are those of `build_backbones`."""
        policy = keras.config.dtype_policy().name
        key = (
            parts,
            config.batchnorm,
            config.batchnorm_momentum,
            config.weights_dir,
            tuple(image_shape),
            seed,
            load_weights,
            policy,
        )
        if key == self._key:
            self.release()
            _log.info("Reusing the backbone of the previous run")
            return self._backbones
        self.clear()
        self._backbones, self._key = build_backbones(parts, config, image_shape, seed, load_weights), key
        variables = [variable for layer in self._backbones.layers for variable in layer.variables]
        self._initial = [(variable, _read(variable)) for variable in variables]
        nodes = [found for layer in self._backbones.layers for found in connections(layer)]
        self._nodes = [(found, len(found)) for found in nodes]
        return self._backbones

    def release(self) -> None:
        """Detach the last classifier from the backbones and restore their original weights."""
        for layer in self._backbones.layers if self._backbones else ():
            layer.trainable = True
        for variable, value in self._initial:
            if _read(variable).tobytes() != value.tobytes():
                variable.assign(value)
        for found, count in self._nodes:
            del found[count:]

    def clear(self) -> None:
        """Remove the stored backbones."""
        self._key, self._backbones, self._initial, self._nodes = None, None, [], []


def _read(variable) -> np.ndarray:
    """Return the value of a variable; not copied on a CPU, where TensorFlow does not overwrite referenced memory."""
    return np.asarray(variable.value.read_value())


def _build_branch(branch: Branch, config: ModelConfig, image, size, seed: int, load_weights: bool):
    build = branch.spec.torch_build if branch.torch_variant else branch.spec.build
    policy = keras.config.dtype_policy().name
    template = _template(build, branch.scaling, branch.spec.name, tuple(image.shape[1:]), size, policy)
    names = _stable_names(template)

    def rebuild(layer):
        layer_config = _seeded(layer.get_config(), derive_seed(seed, branch.prefix, names[layer.name]))
        layer_config["name"] = names[layer.name]
        if isinstance(layer, keras.layers.BatchNormalization):
            momentum = layer_config["momentum"] if config.batchnorm_momentum is None else config.batchnorm_momentum
            own = {"statistics": config.batchnorm, "momentum": momentum}
            return BackboneBatchNormalization.from_config({**layer_config, **own})
        return type(layer).from_config(layer_config)

    backbone = keras.models.clone_model(template, input_tensors=image, clone_function=rebuild)
    report = None
    if load_weights and branch.weights != "none":
        report = load_backbone_weights(backbone, branch.spec, branch.weights, config.weights_dir)
    return (_prefixed(backbone, image, branch.prefix) if branch.prefix else backbone), report


@lru_cache(maxsize=3)  # as many branches as the recommended classifier has
def _template(
    build, scaling: str, name: str, image_shape: tuple[int, int, int], size: tuple[int, int] | None, policy: str
) -> keras.Model:
    """Return the backbone as Keras builds it, to be cloned for each fold or run.

    Layers keep the dtype policy they were built under, so `policy` is part of the cache key.
    """
    image = keras.Input(image_shape, dtype="uint8", name="image")
    return keras.Model(image, build(PixelScaling(scaling, name, size, name="scaling")(image)))


def _prefixed(backbone: keras.Model, image, prefix: str) -> keras.Model:
    def rename(layer):
        return type(layer).from_config({**layer.get_config(), "name": prefix + layer.name})

    renamed = keras.models.clone_model(backbone, input_tensors=image, clone_function=rename)
    renamed.set_weights(backbone.get_weights())
    return renamed


def _stable_names(model: keras.Model) -> dict[str, str]:
    """Map layer names to names that do not depend on the counters of the Keras session."""
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
    """Return a layer's configuration in which every seed that is None is set."""
    result = dict(layer_config)
    for key, value in layer_config.items():
        if key == "seed" and value is None:
            result[key] = seed
        elif isinstance(value, dict) and "seed" in value.get("config", {}):
            result[key] = {**value, "config": {**value["config"], "seed": derive_seed(seed, key)}}
    return result
