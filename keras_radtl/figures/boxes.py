"""Box plots of results, one box for each level of a factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from keras_radtl.figures.labels import label_text

_GOLDEN = 0.6180339887498949


def plot_boxes(axes, samples: Mapping[str, Sequence[float]], title: str = "", xlabel: str = "", ylabel: str = ""):
    """Draw a box plot with one box for each level of a factor.

    A box shows median and quartiles, its whiskers extend to 1.5 times the interquartile range, and a diamond marks the
    mean. Every value is drawn as a point. The points are spread horizontally to reduce overlap; the spread is not
    random.

    Args:
        axes: Matplotlib axes.
        samples: For each level, in drawing order, a sequence of n values. A level without values has an empty position.
        title: Title of the axes.
        xlabel: Name of the factor.
        ylabel: Name of the response.

    Returns:
        The axes.

    Raises:
        ValueError: If there are no levels.
    """
    if not samples:
        raise ValueError("`samples` must have at least one level")
    values = [np.asarray(sample, dtype=float) for sample in samples.values()]
    positions = np.arange(1, len(values) + 1)
    filled = [i for i, sample in enumerate(values) if len(sample)]
    axes.boxplot(
        [values[i] for i in filled],
        positions=positions[filled],
        widths=0.6,
        showfliers=False,  # every value is drawn as a point
        medianprops={"color": "black", "linewidth": 1.5},
        boxprops={"color": "0.35"},
        whiskerprops={"color": "0.35"},
        capprops={"color": "0.35"},
    )
    size = 18 if max(map(len, values)) <= 200 else 6
    for i in filled:
        spread = (np.arange(1, len(values[i]) + 1) * _GOLDEN % 1 - 0.5) * 0.44
        axes.scatter(positions[i] + spread, values[i], s=size, alpha=0.55, color=f"C{i % 10}", linewidths=0, zorder=3)
        axes.scatter(positions[i], values[i].mean(), marker="D", s=34, color="white", edgecolors="black", zorder=4)
    labels = [f"{label_text(level)}\nn={len(sample)}" for level, sample in zip(samples, values, strict=True)]
    crowded = len(labels) > 16 or max(map(len, samples)) > 12
    axes.set_xticks(positions, labels, rotation=45 if crowded else 0, ha="right" if crowded else "center", fontsize=8)
    axes.set(
        title=label_text(title, 80), xlabel=label_text(xlabel), ylabel=label_text(ylabel), xlim=(0.4, len(values) + 0.6)
    )
    axes.grid(axis="y", color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    return axes
