"""Learning-rate multipliers: one row per layer, one column per epoch, frozen layers masked."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_radtl.figures.multipliers import plot_multipliers

MULTIPLIERS = [{"stem": 0.01, "head": 1.0}, {"stem": 0.0, "head": 0.5}]


def test_rows_are_layers_and_columns_are_epochs():
    axes = Figure().subplots()
    assert plot_multipliers(axes, [1, 2], MULTIPLIERS) is axes
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.01, 1e-3], [1.0, 0.5]])
    assert [text.get_text() for text in axes.get_yticklabels()] == ["stem", "head"]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "2"]


def test_frozen_layers_are_masked():
    axes = Figure().subplots()
    plot_multipliers(axes, [1, 2], [{"head": 1.0}, {"head": 1.0, "stem": 0.1}])
    assert axes.images[0].get_array().mask.tolist() == [[False, False], [True, False]]


def test_at_most_sixty_layers_are_named():
    axes = Figure().subplots()
    plot_multipliers(axes, [1], [{f"layer{i}": 0.5 for i in range(200)}])
    assert len(axes.get_yticks()) <= 60 < len(axes.images[0].get_array())


def test_lengths_must_be_equal():
    with pytest.raises(ValueError, match="must have the same length"):
        plot_multipliers(Figure().subplots(), [1], MULTIPLIERS)
