"""What a backbone is: one row of the table of backbones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from keras_radtl.config import UserError

Boundaries = tuple[tuple[str, str], ...]
POOLING = "pooling"  # the pooling layer that `classifier` adds after each backbone
WITHOUT_WEIGHTS = frozenset({"relu", "maxpool", "avgpool", "pixels"})  # groups without weights


@dataclass(frozen=True)
class BackboneSpec:
    """One backbone.

    Attributes:
        name: Name in configurations.
        display_name: Name in `keras.applications` or in the publication.
        build: Function from scaled pixels, a Keras tensor of shape (batch, height, width, 3), to the last feature map,
            of shape (batch, rows, columns, features), with random weights.
        image_size: Image size of the pretraining in pixels.
        minimum_size: Smallest image size in pixels.
        features: Number of channels of the last feature map.
        scalings: Pixel scaling of each set of pretrained weights.
        stages: Boundaries of the `stages` counting.
        gradcam_layers: Names of the layers for Grad-CAM.
        reference: Boundaries of the `reference` counting, if there are any.
        fts: Boundaries of the `fts` counting, if there are any.
        torch_build: Like `build`, for PyTorch checkpoints, with the same layer names at the boundaries.
        layers: Number of Keras layers of `build` with the pooling, without the scaling; None: not known.
    """

    name: str
    display_name: str
    build: Callable
    image_size: int
    minimum_size: int
    features: int
    scalings: Mapping[str, str]
    stages: Boundaries
    gradcam_layers: tuple[str, ...]
    reference: Boundaries | None = None
    fts: Boundaries | None = None
    torch_build: Callable | None = None
    layers: int | None = None

    @property
    def weights(self) -> tuple[str, ...]:
        """Names of the available weight sets, "none" first."""
        return ("none", *self.scalings)

    @property
    def initial_scaling(self) -> str:
        """The pixel scaling of random weights: that of ImageNet weights, or pixels in [0, 1] if there are none."""
        return self.scalings.get("imagenet", "zero_one")

    @property
    def countings(self) -> dict[str, Boundaries]:
        """The boundaries of each available counting, as pairs of group name and last layer."""
        every = {"stages": self.stages, "reference": self.reference, "fts": self.fts}
        return {name: boundaries for name, boundaries in every.items() if boundaries}

    def boundaries(self, counting: str) -> Boundaries:
        """Return the boundaries of one counting.

        Raises:
            UserError: If the backbone does not have this counting; the message lists those it has.
        """
        if counting not in self.countings:
            known = ", ".join(self.countings)
            raise UserError(f"{self.display_name} has no layer groups for `counting={counting!r}`. Known: {known}")
        return self.countings[counting]
