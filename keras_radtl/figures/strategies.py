"""Relative change of strategies against a reference, as bars."""

from __future__ import annotations

from collections.abc import Mapping


def plot_relative_change(axes, changes: Mapping[str, Mapping[str, float | None]], title: str = "", reference: str = ""):
    """Draw a group of bars for each strategy, one bar a metric.

    Args:
        axes: matplotlib axes.
        changes: by strategy and metric, the change in percent; None leaves a gap marked with a cross.
        title: of the axes.
        reference: name of what the change is against, for the axis.

    Returns:
        The axes.

    Raises:
        ValueError: if there is no strategy.
    """
    if not changes:
        raise ValueError("`changes` must have at least one strategy")
    metrics = list(dict.fromkeys(name for values in changes.values() for name in values))
    width = 0.8 / max(len(metrics), 1)
    for i, metric in enumerate(metrics):
        values = [found.get(metric) for found in changes.values()]
        places = [place - 0.4 + (i + 0.5) * width for place in range(len(changes))]
        heights = [float("nan") if value is None else value for value in values]
        axes.bar(places, heights, width * 0.92, color=f"C{i}", label=metric)
        gaps = [place for place, value in zip(places, values, strict=True) if value is None]
        axes.scatter(gaps, [0] * len(gaps), marker="x", s=16, color=f"C{i}", linewidths=1)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_xticks(range(len(changes)), list(changes))
    axes.set(
        title=title,
        ylabel=f"change against {reference}, %" if reference else "change, %",
        xlim=(-0.6, len(changes) - 0.4),
    )
    axes.grid(axis="y", color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    return axes
