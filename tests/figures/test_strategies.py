"""Relative changes: one bar per strategy and metric, crosses for undefined changes, one colour per metric."""

from __future__ import annotations

import math

import pytest
from matplotlib.figure import Figure

from keras_radtl.figures.strategies import plot_relative_change

CHANGES = {"lp": {"AUROC": 2.0, "kappa": None}, "g_lf": {"AUROC": -1.0, "kappa": None}}


def test_bars_are_changes_and_undefined_changes_are_crosses():
    axes = plot_relative_change(Figure().subplots(), CHANGES, "ResNet50", "ft")
    heights = [bar.get_height() for bars in axes.containers for bar in bars]
    assert heights[:2] == [2.0, -1.0] and all(map(math.isnan, heights[2:]))
    assert sum(len(points.get_offsets()) for points in axes.collections) == 2
    assert axes.get_ylabel() == "change relative to ft, %"


def test_metrics_without_defined_changes_have_their_own_colour_in_the_legend():
    axes = plot_relative_change(Figure().subplots(), CHANGES)
    first, second = (handle[0].get_facecolor() for handle in axes.get_legend_handles_labels()[0])
    assert first != second


def test_no_strategies_are_an_error():
    with pytest.raises(ValueError, match="at least one strategy"):
        plot_relative_change(Figure().subplots(), {})
