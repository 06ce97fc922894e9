"""Box plots: values, medians, means and labels on the axes."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from keras_radtl.figures.boxes import plot_boxes

SAMPLES = {"Conv": [0.9, 0.8, 0.7, 0.85], "Linear": [0.5, 0.55, 0.2]}


def axes_of(samples, **names):
    return plot_boxes(Figure().subplots(), samples, **names)


def test_every_value_is_drawn_once_within_its_level():
    axes = axes_of(SAMPLES)
    clouds = [points for points in axes.collections if len(points.get_offsets()) > 1]
    for position, (cloud, values) in enumerate(zip(clouds, SAMPLES.values(), strict=True), 1):
        x, y = cloud.get_offsets().T
        assert y.tolist() == values
        assert np.all(np.abs(x - position) < 0.3)


def test_medians_and_means_are_marked():
    axes = axes_of(SAMPLES)
    lines = {tuple(np.round(line.get_ydata(), 6)) for line in axes.lines}
    for values in SAMPLES.values():
        assert (round(float(np.median(values)), 6),) * 2 in lines
    means = [points.get_offsets()[0][1] for points in axes.collections if len(points.get_offsets()) == 1]
    assert means == pytest.approx([np.mean(values) for values in SAMPLES.values()])


def test_levels_are_named_with_their_counts():
    axes = axes_of(SAMPLES, title="task: breast", xlabel="clf", ylabel="test_auc")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["Conv\nn=4", "Linear\nn=3"]
    assert (axes.get_title(), axes.get_xlabel(), axes.get_ylabel()) == ("task: breast", "clf", "test_auc")


def test_level_without_values_has_an_empty_position():
    axes = axes_of({"a": [1.0, 2.0], "b": [], "c": [3.0, 4.0]})
    assert axes.get_xticks().tolist() == [1, 2, 3]
    assert np.allclose(axes.collections[-2].get_offsets()[:, 0], 3, atol=0.3)


def test_figure_is_deterministic():
    figures = []
    for _ in range(2):
        canvas = FigureCanvasAgg(Figure(figsize=(3, 2), dpi=50))
        plot_boxes(canvas.figure.subplots(), SAMPLES)
        canvas.draw()
        figures.append(np.asarray(canvas.buffer_rgba()).copy())
    assert np.array_equal(*figures)


def test_no_levels_are_an_error():
    with pytest.raises(ValueError, match="at least one level"):
        axes_of({})
