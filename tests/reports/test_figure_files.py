"""Figures for files need no display; those for a notebook belong to pyplot."""

from __future__ import annotations

import matplotlib.pyplot as plt
from PIL import Image

from keras_radtl.reports.figure_files import DPI, new_figure, new_shown_figure, save_figure


def test_a_figure_is_written_as_png_in_its_size(tmp_path):
    figure = new_figure(2, 1)
    figure.subplots().plot([0, 1])
    save_figure(figure, tmp_path / "folder" / "a.png")
    with Image.open(tmp_path / "folder" / "a.png") as image:
        assert image.size == (2 * DPI, DPI)
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["a.png"]


def test_shown_figures_are_those_of_pyplot():
    plt.switch_backend("Agg")
    figure = new_shown_figure(2, 1)
    assert plt.gcf() is figure
    new_figure(2, 1)
    assert plt.gcf() is figure, "a figure for a file is none of pyplot's"
    plt.close(figure)
