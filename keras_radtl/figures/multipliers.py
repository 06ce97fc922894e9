"""Learning-rate multipliers by layer and epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from keras_radtl.figures.labels import label_text, label_texts

_LOWEST = 1e-3  # smaller multipliers have the same colour


def plot_multipliers(
    axes,
    epochs: Sequence[int],
    multipliers: Sequence[Mapping[str, float]],
    title: str = "learning-rate multipliers",
):
    """Draw learning-rate multipliers as a heat map on a logarithmic scale: one row per layer, one column per epoch.

    Args:
        axes: Matplotlib axes.
        epochs: Sequence of n_epochs epoch numbers, in order.
        multipliers: For each epoch, the multiplier >= 0 of each trained layer. Frozen layers are absent.
        title: Title of the axes.

    Returns:
        The axes.

    Raises:
        ValueError: If there are no epochs or the lengths differ.
    """
    if not epochs or len(epochs) != len(multipliers):
        received = f"{len(epochs)}, {len(multipliers)}"
        raise ValueError(f"`epochs` and `multipliers` must have the same length, at least 1. Received: {received}")
    layers = list(dict.fromkeys(layer for row in multipliers for layer in row))
    values = np.array([[row.get(layer, np.nan) for row in multipliers] for layer in layers])
    from matplotlib.colors import LogNorm

    shown = np.ma.masked_invalid(np.maximum(values, _LOWEST))
    norm = LogNorm(_LOWEST, max(1.0, float(shown.max())))
    axes.set_facecolor("0.85")
    image = axes.imshow(shown, aspect="auto", cmap="viridis", norm=norm, interpolation="nearest")
    step = -(-len(layers) // 60)
    axes.set_yticks(range(0, len(layers), step), label_texts(layers[::step]), fontsize=6)
    ticks = range(0, len(epochs), -(-len(epochs) // 12))
    axes.set_xticks(ticks, [epochs[i] for i in ticks])
    axes.set(title=label_text(title, 80), xlabel="epoch")
    axes.figure.colorbar(image, ax=axes, label=f"multiplier (grey: frozen; darkest: {_LOWEST:g} or less)")
    return axes
