"""The pictures of a run: ROC curve, history, confusion matrix, and the images as the network sees them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from keras_radtl.config import Config
from keras_radtl.data.augment import apply, draw
from keras_radtl.models.probabilities import to_probabilities
from keras_radtl.runs.directory import FIGURES, RunDirectory
from keras_radtl.runs.files import atomic


def make_figure(width: float, height: float):
    """Return an empty matplotlib figure that needs no display, size in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all."""
    with atomic(path) as temporary:
        figure.savefig(temporary, format="png")


def draw_run(run: RunDirectory, config: Config, dataset, split, parts: dict, history: list[dict]) -> None:
    """Draw the pictures of one trained model into its run directory."""
    from keras_radtl.figures.history import plot_history

    figure = make_figure(10, 4)
    left, right = figure.subplots(1, 2)
    plot_history(left, history, ["loss", "val_loss"], "loss")
    plot_history(right, history, ["val_auc", "val_accuracy"], "validation")
    save_figure(figure, run / FIGURES / "history.png")
    _draw_rates(run, [row for row in history if "rates" in row])
    _draw_samples(run, config, dataset, split)
    draw_predictions(run, dataset.table, {name: parts[name] for name in ("val", "test")})


def draw_pooled(run: RunDirectory, table, pooled) -> None:
    """Draw the pooled out-of-fold predictions of a cross-validation."""
    draw_predictions(run, table, {"test": pooled})


def draw_predictions(run: RunDirectory, table, parts: dict) -> None:
    """Draw ROC curves of the given splits and the confusion matrix of the test split."""
    from keras_radtl.figures.confusion import plot_confusion
    from keras_radtl.figures.curves import plot_roc

    figure = make_figure(5, 5)
    axes = figure.subplots()
    for name, predictions in parts.items():
        probabilities, targets = (
            to_probabilities(predictions.logits, table.multilabel),
            table.targets[predictions.indices],
        )
        columns = [1] if len(table.classes) == 2 and not table.multilabel else range(len(table.classes))
        for column in columns:
            known, truth = _against_rest(table, targets, column)
            label = name if len(columns) == 1 else f"{name}, {table.classes[column]}"
            plot_roc(axes, truth, probabilities[known, column], label)
    save_figure(figure, run / FIGURES / "roc.png")
    if not table.multilabel:
        test = parts["test"]
        known = table.targets[test.indices] >= 0
        figure = make_figure(1.2 * len(table.classes) + 2, 1.2 * len(table.classes) + 1.6)
        predicted = test.logits[known].argmax(axis=1)
        plot_confusion(
            figure.subplots(), table.targets[test.indices][known], predicted, table.classes, f"test, n={known.sum()}"
        )
        save_figure(figure, run / FIGURES / "confusion.png")


def _against_rest(table, targets, column: int):
    if table.multilabel:
        known = ~np.isnan(targets[:, column])
        return known, targets[known, column].astype(int)
    known = targets >= 0
    return known, (targets[known] == column).astype(int)


def _draw_rates(run: RunDirectory, history: list[dict]) -> None:
    """Draw the rates by layer where they differ."""
    from keras_radtl.figures.rates import plot_rates

    if history:
        layers = len({layer for row in history for layer in row["rates"]})
        figure = make_figure(8, min(2.0 + 0.14 * layers, 11))
        plot_rates(figure.subplots(), [row["epoch"] for row in history], [row["rates"] for row in history])
        save_figure(figure, run / FIGURES / "learning_rates.png")


def _draw_samples(run: RunDirectory, config: Config, dataset, split, count: int = 8) -> None:
    from keras_radtl.figures.images import plot_images
    from keras_radtl.runs.results import label_text

    table, pixels = dataset.table, dataset.pixels
    chosen = split.train[np.linspace(0, len(split.train) - 1, min(count, len(split.train))).astype(int)]
    parameters = draw(config.augment, config.seed, 0, chosen, pixels.shape[1:3])
    changed = [apply(np.ascontiguousarray(pixels[i]), parameters.image(row)) for row, i in enumerate(chosen)]
    names = [label_text(table, table.targets[i]) for i in chosen]
    figure = make_figure(1.5 * count, 3.6)
    plot_images(
        figure, [*pixels[chosen], *changed], [*names, *["in training, epoch 1"] * len(chosen)], columns=len(chosen)
    )
    save_figure(figure, run / FIGURES / "images.png")
