"""The confusion matrix: counts, shares and colours."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from keras_radtl.figures.confusion import plot_confusion

TARGETS = [0, 0, 0, 1, 1, 2]
PREDICTED = [0, 0, 1, 1, 1, 0]


@pytest.fixture
def axes():
    drawn = Figure().subplots()
    assert plot_confusion(drawn, TARGETS, PREDICTED, ("a", "b", "c"), "test, n=6") is drawn
    return drawn


def test_rows_are_true_classes_and_columns_predicted_classes(axes):
    texts = {tuple(map(int, text.get_position())): text.get_text() for text in axes.texts}  # (column, row)
    assert texts[0, 0] == "2\n67%" and texts[1, 0] == "1\n33%" and texts[1, 1] == "2\n100%" and texts[0, 2] == "1\n100%"
    assert len(texts) == 9 and texts[2, 2] == "0\n0%"


def test_colours_are_shares_of_the_row(axes):
    np.testing.assert_allclose(axes.images[0].get_array(), [[2 / 3, 1 / 3, 0], [0, 1, 0], [1, 0, 0]])
    assert axes.images[0].get_clim() == (0, 1)


def test_text_is_white_on_dark_cells(axes):
    colors = {tuple(map(int, text.get_position())): text.get_color() for text in axes.texts}
    assert colors[1, 1] == "white" and colors[2, 2] == "black"


def test_axes_are_named(axes):
    assert (axes.get_title(), axes.get_xlabel(), axes.get_ylabel()) == ("test, n=6", "predicted", "true")
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels] == ["a", "b", "c"]


def test_a_class_without_cases_has_a_row_of_zeros():
    axes = plot_confusion(Figure().subplots(), [0, 0], [0, 1], ("a", "b"))
    np.testing.assert_array_equal(axes.images[0].get_array(), [[0.5, 0.5], [0, 0]])
