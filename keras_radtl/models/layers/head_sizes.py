"""Sizes of the classifier heads, by arithmetic alone: known before anything is allocated.

F pooled features, C classes, r hidden ratio, k filters, s kernel size, p dropout; n = k (F - s + 1); h is r F with
`hidden_basis="features"` (the paper) and r n with `hidden_basis="flattened"` (the released code).

| head | layers |
|---|---|
| linear | Dense(C) |
| nonlinear | Dense(r F, no bias) - BN - LeakyReLU - Dropout(p) - Dense(C) |
| conv | Conv1D(k, s, valid, no bias) - BN - LeakyReLU - Dropout - Flatten - Dense(h, no bias) - BN - LeakyReLU - Dropout - Dense(C) |
| conv_skip | as conv, with ReLU(BN(Dense(n, no bias)(F))) added after Flatten |

`pooling="flatten"` gives a head every number of the last feature map as a feature instead of the channels' means.
`input_dropout` comes before any head and has no parameters; `l2` adds none.

Reference:
    Frees et al., arXiv 2508.17567, section 3.1.
"""

from __future__ import annotations

from typing import NamedTuple

from keras_radtl.config import HeadConfig, UserError

HEAD_NAMES = ("linear", "nonlinear", "conv", "conv_skip")


class HeadSizes(NamedTuple):
    """Widths inside a head; 0 where the head has no such part."""

    flattened: int  # n, after the convolution
    hidden: int  # h, between the two dense layers


def require_head(name: str) -> None:
    """Raise a `UserError` with the known names unless `name` is a head."""
    if name not in HEAD_NAMES:
        raise UserError(f"Unknown head {name!r}. Known: {', '.join(HEAD_NAMES)}")


def head_sizes(config: HeadConfig, features: int) -> HeadSizes:
    """Return the inner widths of the head that `config` describes, on `features` pooled features.

    Raises:
        UserError: for an unknown head, or a kernel longer than the features.
    """
    require_head(config.name)
    if config.name == "linear":
        return HeadSizes(0, 0)
    if config.name == "nonlinear":
        return HeadSizes(0, max(1, round(config.ratio * features)))
    if config.kernel_size > features:
        raise UserError(
            f"`kernel_size` must be at most the number of features, {features}. Received: kernel_size={config.kernel_size}"
        )
    flattened = config.filters * (features - config.kernel_size + 1)
    basis = features if config.hidden_basis == "features" else flattened
    return HeadSizes(flattened, max(1, round(config.ratio * basis)))


def head_parameters(config: HeadConfig, features: int, num_classes: int) -> int:
    """Return how many trainable parameters the head has: weights, biases, BatchNorm scales and offsets."""
    flattened, hidden = head_sizes(config, features)
    if config.name == "linear":
        return (features + 1) * num_classes
    classes = (hidden + 1) * num_classes
    if config.name == "nonlinear":
        return features * hidden + 2 * hidden + classes
    convolution = config.kernel_size * config.filters + 2 * config.filters
    skip = features * flattened + 2 * flattened if config.name == "conv_skip" else 0
    return convolution + skip + flattened * hidden + 2 * hidden + classes
