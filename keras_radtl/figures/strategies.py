"""Bar chart of fine-tuning strategies relative to a reference strategy."""

from __future__ import annotations

from collections.abc import Mapping

from keras_radtl.figures.labels import label_text, label_texts


def plot_relative_change(axes, changes: Mapping[str, Mapping[str, float | None]], title: str = "", reference: str = ""):
    """Draw the relative change of each metric, as one group of bars per strategy.

    Args:
        axes: Matplotlib axes.
        changes: For each strategy, the change of each metric in percent. None is marked with a cross instead of a bar.
        title: Title of the axes.
        reference: Name of the reference strategy, used in the axis label.

    Returns:
        The axes.

    Raises:
        ValueError: If there are no strategies.
    """
    if not changes:
        raise ValueError("`changes` must have at least one strategy")
    metrics = list(dict.fromkeys(name for values in changes.values() for name in values))
    width = 0.8 / max(len(metrics), 1)
    for i, metric in enumerate(metrics):
        values = [found.get(metric) for found in changes.values()]
        positions = [group - 0.4 + (i + 0.5) * width for group in range(len(changes))]
        heights = [float("nan") if value is None else value for value in values]
        axes.bar(positions, heights, width * 0.92, color=f"C{i}", label=label_text(metric))
        gaps = [position for position, value in zip(positions, values, strict=True) if value is None]
        axes.scatter(gaps, [0] * len(gaps), marker="x", s=16, color=f"C{i}", linewidths=1)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_xticks(range(len(changes)), label_texts(changes))
    axes.set(
        title=label_text(title, 80),
        ylabel=f"change relative to {label_text(reference)}, %" if reference else "change, %",
        xlim=(-0.6, len(changes) - 0.4),
    )
    axes.margins(y=0.1)
    axes.grid(axis="y", color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    return axes
