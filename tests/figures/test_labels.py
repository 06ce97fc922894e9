"""Names in figures: one short line that matplotlib shows as it is."""

from __future__ import annotations

import time

import matplotlib
import numpy as np
import pytest

from keras_radtl.figures.boxes import plot_boxes
from keras_radtl.figures.confusion import plot_confusion
from keras_radtl.figures.images import plot_images
from keras_radtl.figures.labels import label_text, label_texts

matplotlib.use("agg")


@pytest.mark.parametrize(
    ("name", "text"),
    [("benign", "benign"), ("a\nb", "a b"), (0.5, "0.5"), ("$x$", r"\$x\$"), ("x" * 41, "x" * 20 + " ... " + "x" * 15)],
)
def test_label_text(name, text):
    assert label_text(name) == text and label_texts([name]) == [text]


@pytest.mark.parametrize("name", ["x" * 5000, r"$\frac$", "a $ b $ c_{", "y " * 2500], ids=range(4))
def test_any_name_is_drawn_in_time(tmp_path, name):
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.subplots(1, 2)
    plot_confusion(axes[0], [0, 1, 1], [0, 1, 0], ["a", name], title=name)
    plot_boxes(axes[1], {name: [1.0, 2.0], "b": [2.0]}, name, name, name)
    plot_images(figure, [np.zeros((4, 4), np.uint8)], [name])
    start = time.monotonic()
    figure.savefig(tmp_path / "x.png")
    assert time.monotonic() - start < 10


def test_many_classes_have_no_texts(tmp_path):
    from matplotlib.figure import Figure

    axes = plot_confusion(Figure().subplots(), np.arange(200), np.arange(200), [str(i) for i in range(200)])
    assert not axes.texts and len(axes.get_xticks()) <= 60
