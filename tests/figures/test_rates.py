"""Factors of the rate: a row a layer, a column an epoch, frozen layers left out."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_radtl.figures.rates import plot_rates

RATES = [{"stem": 0.01, "head": 1.0}, {"stem": 0.0, "head": 0.5}]


def test_rows_are_layers_and_columns_epochs():
    axes = Figure().subplots()
    assert plot_rates(axes, [1, 2], RATES) is axes
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.01, 1e-3], [1.0, 0.5]])
    assert [text.get_text() for text in axes.get_yticklabels()] == ["stem", "head"]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "2"]


def test_a_layer_that_does_not_train_has_no_colour():
    axes = Figure().subplots()
    plot_rates(axes, [1, 2], [{"head": 1.0}, {"head": 1.0, "stem": 0.1}])
    assert axes.images[0].get_array().mask.tolist() == [[False, False], [True, False]]


def test_names_of_many_layers_are_thinned():
    axes = Figure().subplots()
    plot_rates(axes, [1], [{f"layer{i}": 0.5 for i in range(200)}])
    assert len(axes.get_yticks()) <= 60 < len(axes.images[0].get_array())


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="one equal length"):
        plot_rates(Figure().subplots(), [1], RATES)
