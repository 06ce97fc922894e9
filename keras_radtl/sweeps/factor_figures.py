"""Box plots of the results of a sweep, one figure per factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from keras_radtl.reports.figure_files import new_figure, save_figure

MOST_LEVELS = 40  # a box plot of more levels is unreadable
_WIDEST = 24.0  # inches
LABELS = {"test_auc": "test AUC"}


def varying_factors(rows: Sequence[Mapping], factors: Sequence[str]) -> tuple[str, ...]:
    """Return the factors with at least two levels, in order."""
    return tuple(name for name in factors if len({row.get(name) for row in rows}) > 1)


def draw_factors(folder: Path, rows: Sequence[Mapping], factors: Sequence[str], response: str) -> list[Path]:
    """Write a box plot of the response by each factor that varies as PNG; tasks have a panel each.

    Args:
        folder: Folder of the figures.
        rows: Finished runs with their factors and the response.
        factors: Names of the factors.
        response: Column of the response.
    Returns:
        The paths of the figures.
    """
    names = [name for name in varying_factors(rows, factors) if len({row[name] for row in rows}) <= MOST_LEVELS]
    paths = []
    for name in names:
        path = folder / f"box_{''.join(c if c.isalnum() or c in '-_.' else '_' for c in name)}.png"
        by_task = "task" in names and name != "task"
        _draw(path, rows, name, response, "task" if by_task else "")
        paths.append(path)
    return paths


def _draw(path: Path, rows: Sequence[Mapping], factor: str, response: str, within: str) -> None:
    from keras_radtl.figures.boxes import plot_boxes

    strata = _levels(rows, within) if within else [None]
    levels = _levels(rows, factor)
    width = min(max(3.6, 1.2 + 0.8 * len(levels)), 14.0)
    figure = new_figure(min(width * len(strata), _WIDEST), 4.2)
    panels = figure.subplots(1, len(strata), sharey=True, squeeze=False)[0]
    for i, (axes, stratum) in enumerate(zip(panels, strata, strict=True)):
        chosen = [row for row in rows if not within or row[within] == stratum]
        samples = {_text(level): [row[response] for row in chosen if row[factor] == level] for level in levels}
        label = LABELS.get(response, response)
        title = f"{within}: {_text(stratum)}" if within else f"{label} by {factor}"
        plot_boxes(axes, samples, title, factor, "" if i else label)
    save_figure(figure, path)


def _levels(rows: Sequence[Mapping], factor: str) -> list:
    """Return the levels of a factor: numbers in ascending order, then texts in the order of the runs."""
    found = list(dict.fromkeys(row[factor] for row in rows))
    numbers = sorted(level for level in found if not isinstance(level, str))
    return [*numbers, *(level for level in found if isinstance(level, str))]


def _text(level) -> str:
    return f"{level:g}" if isinstance(level, float) else str(level)
