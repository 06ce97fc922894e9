"""Sizes of the classifier heads, computed without building them.

With F features, C classes, hidden ratio r, k filters, kernel size s and dropout rate p: n = k (F - s + 1); h = r F if
`hidden_basis="features"` (as in the paper), or h = r n if `hidden_basis="flattened"` (as in the released code).

| head | layers |
|---|---|
| linear | Dense(C) |
| nonlinear | Dense(r F, no bias) - BN - LeakyReLU - Dropout(p) - Dense(C) |
| conv | Conv1D(k, s, no bias) - BN - LeakyReLU - Dropout(p) - Flatten - then as `nonlinear`, with h for r F |
| conv_skip | as `conv`, with ReLU(BN(Dense(n, no bias)(features))) added after Flatten |

With `pooling="flatten"`, the features are all values of the last feature map instead of the mean of each channel; with
`pooling="stages"`, the mean and standard deviation of each channel after each stage of the backbone.
`input_dropout` and `l2` add no parameters.

Reference:
    Frees et al., arXiv 2508.17567, section 3.1.
"""

from __future__ import annotations

from typing import NamedTuple

from keras_radtl.config import HeadConfig, UserError

HEAD_NAMES = ("linear", "nonlinear", "conv", "conv_skip")


class HeadSizes(NamedTuple):
    """Sizes of the inner layers of a head; 0 for a layer it does not have.

    Attributes:
        flattened: Size n of the flattened output of the convolution.
        hidden: Size h of the hidden dense layer.
    """

    flattened: int
    hidden: int


def require_head(name: str) -> None:
    """Require that a head exists.

    Raises:
        UserError: If the name is unknown; the message lists the known names.
    """
    if name not in HEAD_NAMES:
        raise UserError(f"Unknown head {name!r}. Known: {', '.join(HEAD_NAMES)}")


def head_sizes(config: HeadConfig, features: int) -> HeadSizes:
    """Return the sizes of the inner layers of a head.

    Args:
        config: The head section of a configuration.
        features: Number of features per image.

    Raises:
        UserError: If the head is unknown, or the kernel size exceeds the number of features.
    """
    require_head(config.name)
    if config.name == "linear":
        return HeadSizes(0, 0)
    if config.name == "nonlinear":
        return HeadSizes(0, max(1, round(config.ratio * features)))
    if config.kernel_size > features:
        raise UserError(
            f"`kernel_size` must be at most the number of features, {features}. "
            f"Received: kernel_size={config.kernel_size}"
        )
    flattened = config.filters * (features - config.kernel_size + 1)
    basis = features if config.hidden_basis == "features" else flattened
    return HeadSizes(flattened, max(1, round(config.ratio * basis)))


def head_parameters(config: HeadConfig, features: int, num_classes: int) -> int:
    """Return the number of trainable parameters of a head, including the BatchNorm scales and offsets.

    Args:
        config: The head section of a configuration.
        features: Number of features per image.
        num_classes: Number of logits.

    Raises:
        UserError: As for `head_sizes`.
    """
    flattened, hidden = head_sizes(config, features)
    if config.name == "linear":
        return (features + 1) * num_classes
    classes = (hidden + 1) * num_classes
    if config.name == "nonlinear":
        return features * hidden + 2 * hidden + classes
    convolution = config.kernel_size * config.filters + 2 * config.filters
    skip = features * flattened + 2 * flattened if config.name == "conv_skip" else 0
    return convolution + skip + flattened * hidden + 2 * hidden + classes
