"""Confusion matrix of true and predicted classes."""

from __future__ import annotations

import numpy as np

from keras_radtl.figures.labels import label_text, label_texts

MOST_TEXTS = 20  # classes; larger matrices have colours only
MOST_TICKS = 60


def plot_confusion(axes, targets, predicted, classes, title: str = "confusion"):
    """Draw a confusion matrix with true classes as rows and predicted classes as columns.

    The colour of a cell shows its share of the row. With at most 20 classes, its count and its share are written in it.

    Args:
        axes: Matplotlib axes.
        targets: int array of shape (n,), true class indices.
        predicted: int array of shape (n,), predicted class indices.
        classes: Sequence of n_classes class names, in the order of the indices.
        title: Title of the axes.

    Returns:
        The axes.
    """
    counts = np.zeros((len(classes), len(classes)), int)
    np.add.at(counts, (np.asarray(targets), np.asarray(predicted)), 1)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(counts.shape) if len(classes) <= MOST_TEXTS else ():
        color = "white" if share[row, column] > 0.5 else "black"
        axes.text(
            column, row, f"{counts[row, column]}\n{share[row, column]:.0%}", ha="center", va="center", color=color
        )
    axes.set(title=label_text(title, 80), xlabel="predicted", ylabel="true")
    step = -(-len(classes) // MOST_TICKS)
    ticks, names = range(0, len(classes), step), label_texts(classes)[::step]
    axes.set_xticks(ticks, names, rotation=30 if len(classes) > 3 else 0)
    axes.set_yticks(ticks, names)
    return axes
