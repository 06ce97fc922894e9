"""Grids of images with unchanged pixels."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_radtl.figures.images import plot_images

GENERATOR = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 1), (6, 5, 3)])
def test_pixels_are_unchanged(shape):
    image = GENERATOR.integers(50, 100, shape, np.uint8)
    (axes,) = plot_images(Figure(), [image], ["a [b]"])
    shown = axes.images[0]
    assert np.array_equal(np.asarray(shown.get_array()).reshape(shape), image)
    assert axes.get_title() == "a [b]" and not axes.axison
    if shape[-1] != 3:
        assert shown.get_clim() == (0, 255) and shown.get_cmap().name == "gray"


def test_rows_are_filled_from_left_to_right():
    grid = plot_images(Figure(), [np.zeros((2, 2), np.uint8)] * 5, list("abcde"), columns=3)
    positions = [(axes.get_subplotspec().rowspan.start, axes.get_subplotspec().colspan.start) for axes in grid]
    assert positions == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]


def test_each_image_needs_a_title():
    with pytest.raises(ValueError, match="zip"):
        plot_images(Figure(), [np.zeros((2, 2), np.uint8)] * 2, ["a"])
