"""Which backbones, weights and scalings a model configuration asks for: one branch per backbone, checked by name."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from keras_radtl.config import ModelConfig, UserError
from keras_radtl.models.backbones.table import BackboneSpec, get_backbone
from keras_radtl.models.layers.scalings import get_scaling

WEIGHT_FILES = (".weights.h5", ".h5", ".hdf5", ".keras", ".pt", ".pth")
TORCH_FILES = (".pt", ".pth")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Branch:
    """One backbone of a classifier."""

    spec: BackboneSpec
    weights: str  # a weight set or a file
    scaling: str
    prefix: str  # before the names of its layers: empty, or `backbone1_`, `backbone2_` where there are two

    @property
    def torch_geometry(self) -> bool:
        """Whether the weights are a torch checkpoint for a graph that differs from Keras' own."""
        return self.spec.torch_build is not None and self.weights.lower().endswith(TORCH_FILES)


def branches(config: ModelConfig) -> tuple[Branch, ...]:
    """Return the branches of a classifier, in the order in which their features are joined.

    Backbones, weights and scalings may each be joined by `+`; a single one stands for all branches.

    Args:
        config: ModelConfig.
    Returns:
        tuple of Branch, at least one.
    Raises:
        UserError: for an unknown backbone, weight set, scaling or file, or numbers of them that do not match.
    """
    parts = {
        "backbone": config.backbone.split("+"),
        "weights": [config.weights] if Path(config.weights).is_file() else config.weights.split("+"),
        "scaling": config.scaling.split("+") if config.scaling else [None],
    }
    count = max(len(values) for values in parts.values())
    for name, values in parts.items():
        if len(values) not in (1, count):
            raise UserError(f"`{name}` must name 1 or {count} parts joined by +. Received: {name}={'+'.join(values)!r}")
        parts[name] = values * count if len(values) == 1 else values
    rows = zip(parts["backbone"], parts["weights"], parts["scaling"], strict=True)
    return tuple(_branch(*row, prefix=f"backbone{i}_" if count > 1 else "") for i, row in enumerate(rows, start=1))


def default_image_size(config: ModelConfig) -> int:
    """Return the side in pixels that the backbones of a configuration were pretrained at, the largest if they differ."""
    return max(branch.spec.image_size for branch in branches(config))


def _branch(backbone: str, weights: str, scaling: str | None, prefix: str) -> Branch:
    spec = get_backbone(backbone.strip())
    weights = weights.strip()
    if weights not in spec.weights:
        _require_weight_file(spec, weights)
    if scaling is None:
        scaling = _default_scaling(spec, weights)
    get_scaling(scaling)
    return Branch(spec, weights, scaling, prefix)


def _require_weight_file(spec: BackboneSpec, weights: str) -> None:
    if weights == "radimagenet":
        raise UserError(f"There are no RadImageNet weights for {spec.display_name}. Known: {', '.join(spec.weights)}")
    if not weights.lower().endswith(WEIGHT_FILES):
        raise UserError(
            f"Unknown weights {weights!r} for {spec.display_name}. Known: {', '.join(spec.weights)}, or a file "
            f"({', '.join(WEIGHT_FILES)})"
        )
    if not Path(weights).is_file():
        raise UserError(f"No such weight file: {weights}")


def _default_scaling(spec: BackboneSpec, weights: str) -> str:
    if weights in spec.scalings:
        return spec.scalings[weights]
    if weights == "none":
        return spec.scalings["imagenet"]
    torch = weights.lower().endswith(TORCH_FILES) and spec.torch_build is not None
    scaling = "torch" if torch else spec.scalings["imagenet"]
    _log.warning("A weight file does not say how its pixels were scaled: %s is taken for %s", scaling, weights)
    return scaling
