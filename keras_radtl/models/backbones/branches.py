"""The branches of a classifier: one backbone each, with its pretrained weights and pixel scaling.

Names are validated here; weight files are not read.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from keras_radtl.config import ModelConfig, UserError, require
from keras_radtl.models.backbones.spec import WITHOUT_WEIGHTS, BackboneSpec
from keras_radtl.models.backbones.table import get_backbone
from keras_radtl.models.layers.scalings import get_scaling

WEIGHT_FILES = (".weights.h5", ".h5", ".hdf5", ".keras", ".pt", ".pth")
TORCH_FILES = (".pt", ".pth")
MOST_BRANCHES = 8
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Branch:
    """One backbone of a classifier.

    Attributes:
        spec: The backbone.
        weights: Name of a weight set, or path of a weight file.
        scaling: Name of the pixel scaling.
        prefix: Prefix of the layer names: "" for a single backbone, else "backbone1_", "backbone2_" and so on.
        assumed_scaling: Whether the scaling was assumed because weight files do not record it.
    """

    spec: BackboneSpec
    weights: str
    scaling: str
    prefix: str
    assumed_scaling: bool = False

    @property
    def torch_variant(self) -> bool:
        """Whether the weights are a PyTorch checkpoint that needs the PyTorch variant of the architecture."""
        return self.spec.torch_build is not None and self.weights.lower().endswith(TORCH_FILES)


def branches(config: ModelConfig) -> tuple[Branch, ...]:
    """Return the branches of a classifier, in the order in which their features are concatenated.

    `backbone`, `weights` and `scaling` can each list several names separated by `+`. A single name applies to all
    branches.

    Args:
        config: The model section of a configuration.

    Returns:
        At least one branch.

    Raises:
        UserError: If a backbone, weight set or scaling is unknown, or their numbers do not match.
    """
    parts = {
        "backbone": config.backbone.split("+"),
        "weights": [config.weights] if Path(config.weights).is_file() else config.weights.split("+"),
        "scaling": [None] if config.scaling is None else config.scaling.split("+"),
    }
    count = max(len(values) for values in parts.values())
    require(count <= MOST_BRANCHES, "backbone", f"at most {MOST_BRANCHES} names separated by +", config.backbone)
    for name, values in parts.items():
        if len(values) not in (1, count):
            raise UserError(
                f"`{name}` must have 1 or {count} names separated by +. Received: {name}={'+'.join(values)!r}"
            )
        parts[name] = values * count if len(values) == 1 else values
    rows = zip(parts["backbone"], parts["weights"], parts["scaling"], strict=True)
    return tuple(_branch(*row, prefix=f"backbone{i}_" if count > 1 else "") for i, row in enumerate(rows, start=1))


def image_size(parts: Iterable[Branch]) -> int:
    """Return the image size of the pretraining in pixels, or the largest one if the backbones differ."""
    return max(branch.spec.image_size for branch in parts)


def input_sizes(parts: Sequence[Branch], size: int) -> tuple[int, ...]:
    """Return the side of the images that each backbone sees, in pixels.

    Backbones of different pretraining sizes share the images, which have one size. Each backbone sees them at its own
    size relative to the largest: images of the largest pretraining size give every backbone its own.

    Args:
        parts: The branches.
        size: Side of the images in pixels.
    """
    largest = image_size(parts)
    return tuple(round(size * branch.spec.image_size / largest) for branch in parts)


def require_image_size(parts: Sequence[Branch], size: int) -> None:
    """Require that no backbone sees images below its minimum size.

    Raises:
        UserError: If one does; the message has the smallest possible size.
    """
    for branch, own in zip(parts, input_sizes(parts, size), strict=True):
        spec = branch.spec
        least = math.ceil((spec.minimum_size - 0.5) * image_size(parts) / spec.image_size)
        rule = f"at least {max(least, spec.minimum_size)} pixels for {spec.display_name}"
        require(own >= spec.minimum_size, "image_size", rule, size)


def join_groups(lists: Iterable[Sequence]) -> list[tuple]:
    """Pair the layer groups of several backbones, aligned at the output.

    Args:
        lists: For each backbone, its groups from input to output.

    Returns:
        Tuples of paired groups from input to output. The first ones are shorter if the backbones have different
        numbers of groups.
    """
    joined = zip_longest(*(reversed(groups) for groups in lists))
    return [tuple(part for part in parts if part is not None) for parts in joined][::-1]


def group_names(parts: Iterable[Branch], counting: str, weighted: bool = False) -> tuple[str, ...]:
    """Return the names of the layer groups from input to output, the same as those from `layer_groups`.

    Args:
        parts: The branches.
        counting: How layers are grouped: "stages", "reference" or "fts".
        weighted: Whether to return only groups with weights.

    Raises:
        UserError: If a backbone does not have this counting.
    """
    joined = join_groups([[name for name, _ in branch.spec.boundaries(counting)] for branch in parts])
    chosen = [names for names in joined if not weighted or any(name not in WITHOUT_WEIGHTS for name in names)]
    return tuple("+".join(names) for names in chosen)


def require_weight_files(parts: Iterable[Branch]) -> None:
    """Require that the weight files of the branches exist.

    Raises:
        UserError: If a file does not exist.
    """
    for branch in parts:
        if branch.weights not in branch.spec.weights and not Path(branch.weights).is_file():
            raise UserError(f"No such weight file: {branch.weights}")


def warn_assumed_scalings(parts: Iterable[Branch]) -> None:
    """Log a warning for each branch whose pixel scaling is a guess."""
    for branch in parts:
        if branch.assumed_scaling:
            _log.warning("%s does not specify the pixel scaling; assuming `scaling=%r`", branch.weights, branch.scaling)


def _branch(backbone: str, weights: str, scaling: str | None, prefix: str) -> Branch:
    spec = get_backbone(backbone.strip())
    weights = weights.strip()
    _require_weights(spec, weights)
    known = spec.initial_scaling if weights == "none" else spec.scalings.get(weights)
    if scaling is None and known is None:
        torch = weights.lower().endswith(TORCH_FILES) and spec.torch_build is not None
        return Branch(spec, weights, "torch" if torch else spec.scalings["imagenet"], prefix, assumed_scaling=True)
    chosen = known if scaling is None else scaling
    get_scaling(chosen)
    return Branch(spec, weights, chosen, prefix)


def _require_weights(spec: BackboneSpec, weights: str) -> None:
    if weights in spec.weights:
        return
    if not spec.scalings:
        raise UserError(f"`weights` must be none for {spec.display_name}, which has no weights. Received: {weights!r}")
    if weights.lower().endswith(WEIGHT_FILES):
        return
    if weights == "radimagenet":
        raise UserError(f"There are no RadImageNet weights for {spec.display_name}. Known: {', '.join(spec.weights)}")
    raise UserError(
        f"Unknown weights {weights!r} for {spec.display_name}. Known: {', '.join(spec.weights)}, or a file "
        f"({', '.join(WEIGHT_FILES)})"
    )
