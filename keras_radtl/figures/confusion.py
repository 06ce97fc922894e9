"""Predicted against true classes, as counts."""

from __future__ import annotations

import numpy as np


def plot_confusion(axes, targets, predicted, classes, title: str = "confusion"):
    """Draw the confusion matrix: rows are true classes, columns predicted ones; colour is the share of the row.

    Args:
        axes: matplotlib axes.
        targets, predicted: int arrays of class indices, shape (n,).
        classes: class names in target order.
        title: of the axes.
    Returns:
        The axes.
    """
    counts = np.zeros((len(classes), len(classes)), int)
    np.add.at(counts, (np.asarray(targets), np.asarray(predicted)), 1)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(counts.shape):
        color = "white" if share[row, column] > 0.5 else "black"
        axes.text(
            column, row, f"{counts[row, column]}\n{share[row, column]:.0%}", ha="center", va="center", color=color
        )
    axes.set(title=title, xlabel="predicted", ylabel="true")
    axes.set_xticks(range(len(classes)), classes, rotation=30 if len(classes) > 3 else 0)
    axes.set_yticks(range(len(classes)), classes)
    return axes
