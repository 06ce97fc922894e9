"""Matplotlib figures: for PNG files, which need no display, and for a notebook or a window."""

from __future__ import annotations

from pathlib import Path

from keras_radtl.runs.files import atomic

DPI = 120
WIDEST = 40  # inches; a confusion matrix of 1000 classes would be of 1200


def new_figure(width: float, height: float):
    """Return an empty matplotlib figure that needs no display.

    Args:
        width: of the figure, in inches.
        height: of the figure, in inches.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(min(width, WIDEST), min(height, WIDEST)), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def new_shown_figure(width: float, height: float):
    """Return an empty figure of `matplotlib.pyplot`, which a notebook displays.

    Args:
        width: of the figure, in inches.
        height: of the figure, in inches.
    """
    import matplotlib.pyplot as plt

    return plt.figure(figsize=(width, height), layout="constrained")


def save_figure(figure, path: Path) -> None:
    """Write a figure as PNG atomically."""
    with atomic(path) as temporary:
        figure.savefig(temporary, format="png")
