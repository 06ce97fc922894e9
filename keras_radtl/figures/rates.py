"""Factors of the learning rate by layer and epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

_LOWEST = 1e-3  # factors below it have the colour of no movement


def plot_rates(axes, epochs: Sequence[int], rates: Sequence[Mapping[str, float]], title: str = "factor of the rate"):
    """Draw factors of the learning rate as colours on a logarithmic scale: layers from input to head, epochs across.

    Args:
        axes: matplotlib axes.
        epochs: epoch numbers, in order.
        rates: for each epoch, factor >= 0 by layer; a layer that did not train in an epoch is absent there.
        title: of the axes.
    Returns:
        The axes.
    Raises:
        ValueError: without an epoch, or when lengths differ.
    """
    if not epochs or len(epochs) != len(rates):
        raise ValueError(f"`epochs` and `rates` must have one equal length. Received: {len(epochs)}, {len(rates)}")
    layers = list(dict.fromkeys(layer for row in rates for layer in row))
    values = np.array([[row.get(layer, np.nan) for row in rates] for layer in layers])
    from matplotlib.colors import LogNorm

    shown = np.ma.masked_invalid(np.maximum(values, _LOWEST))
    norm = LogNorm(_LOWEST, max(1.0, float(shown.max())))
    axes.set_facecolor("0.85")
    image = axes.imshow(shown, aspect="auto", cmap="viridis", norm=norm, interpolation="nearest")
    step = -(-len(layers) // 60)
    axes.set_yticks(range(0, len(layers), step), layers[::step], fontsize=6)
    ticks = range(0, len(epochs), -(-len(epochs) // 12))
    axes.set_xticks(ticks, [epochs[i] for i in ticks])
    axes.set(title=title, xlabel="epoch")
    axes.figure.colorbar(image, ax=axes, label=f"factor (grey: frozen; darkest: {_LOWEST:g} and less)")
    return axes
