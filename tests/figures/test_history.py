"""Training history: curves, phases and the best epoch."""

from __future__ import annotations

from matplotlib.figure import Figure

from keras_radtl.figures.history import plot_history

HISTORY = [
    {"epoch": 1, "phase": "head", "loss": 0.9, "val_loss": 0.8, "val_auc": 0.6},
    {"epoch": 2, "phase": "head", "loss": 0.7, "val_loss": 0.7, "val_auc": 0.9},
    {"epoch": 3, "phase": "all", "loss": 0.5, "val_loss": 0.9, "val_auc": 0.9},
]


def draw(columns, ylabel="loss"):
    axes = Figure().subplots()
    assert plot_history(axes, HISTORY, columns, ylabel) is axes
    return axes


def test_columns_are_drawn_over_the_epochs():
    axes = draw(["loss", "val_loss"])
    lines = {line.get_label(): line for line in axes.lines}
    assert list(lines["loss"].get_xdata()) == [1, 2, 3] and list(lines["loss"].get_ydata()) == [0.9, 0.7, 0.5]
    assert (lines["loss"].get_linestyle(), lines["val_loss"].get_linestyle()) == ("--", "-")
    assert axes.get_ylabel() == "loss" and axes.get_xlabel() == "epoch"


def test_phases_are_separated_and_named():
    axes = draw(["loss"])
    assert [text.get_text() for text in axes.texts] == ["all"]
    assert 2.5 in [line.get_xdata()[0] for line in axes.lines]


def test_best_epoch_is_the_first_with_the_highest_auc():
    labels = [text.get_text() for text in draw(["loss"]).get_legend().get_texts()]
    assert labels == ["loss", "best epoch 2"]
