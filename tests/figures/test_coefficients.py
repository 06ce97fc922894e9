"""Coefficients as images: the values are unchanged, and one colour scale serves for comparison."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from keras_radtl.figures.coefficients import (
    plot_class_means,
    plot_coefficients,
    plot_differences,
    plot_true_and_estimated,
)

VALUES = np.random.default_rng(0).normal(size=12)


def test_zero_is_the_middle_of_the_colour_scale():
    axes = plot_coefficients(Figure().add_subplot(), VALUES, (3, 4))
    assert np.array_equal(axes.images[0].get_array(), VALUES.reshape(3, 4))
    low, high = axes.images[0].get_clim()
    assert low == -high and high == np.abs(VALUES).max()


def test_coefficients_that_are_all_zero_are_white():
    axes = plot_coefficients(Figure().add_subplot(), np.zeros(12), (3, 4))
    assert axes.images[0].get_clim() == (-1, 1)
    picture = axes.images[0]
    assert np.allclose(picture.cmap(picture.norm(0.0))[:3], 1, atol=0.05)


def test_mean_images_stand_beside_the_coefficients():
    images = np.stack([np.full((3, 4), value) for value in (10, 20, 200)])
    axes = Figure().subplots(1, 3)
    assert plot_class_means(axes, images, [0, 0, 1], ["benign $x$", "malignant"], VALUES) is axes
    assert (axes[0].images[0].get_array() == 15).all() and (axes[1].images[0].get_array() == 200).all()
    assert axes[0].get_title() == r"mean of benign \$x\$ (n = 2)"
    assert np.array_equal(axes[2].images[0].get_array(), VALUES.reshape(3, 4))


def test_true_and_estimated_coefficients_share_a_colour_scale():
    axes = plot_true_and_estimated(Figure().subplots(1, 2), VALUES, 2 * VALUES, (3, 4))
    scales = [one.images[0].get_clim() for one in axes]
    assert scales[0] == scales[1] and scales[0][1] == 2 * np.abs(VALUES).max()


def test_the_histogram_has_every_round_and_their_mean():
    differences = np.random.default_rng(1).normal(0.02, 0.001, 50)
    axes = plot_differences(Figure().add_subplot(), differences, 0.048)
    assert sum(bar.get_height() for bar in axes.patches) == 50
    assert axes.lines[0].get_xdata()[0] == differences.mean()
    assert "mean magnitude 0.048" in axes.get_legend().get_texts()[0].get_text()
