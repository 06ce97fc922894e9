"""The figures of a run: history, learning rates, ROC curves, confusion matrix, and augmented sample images."""

from __future__ import annotations

import numpy as np

from keras_radtl.config import AugmentConfig
from keras_radtl.data.augment import augment_image, sample_parameters
from keras_radtl.models.probabilities import to_probabilities
from keras_radtl.reports.baseline_figures import draw_coefficients
from keras_radtl.reports.figure_files import new_figure, save_figure
from keras_radtl.runs.directory import FIGURES, RunDirectory


def draw_run(
    run: RunDirectory, dataset, split, parts: dict, history: list[dict], augment: AugmentConfig, seed: int
) -> None:
    """Draw the figures of one trained model into its run directory.

    Args:
        run: directory of the model.
        dataset: Dataset, its cases and pixels.
        split: Split that the model was trained on.
        parts: Predictions by split; `val` and `test` are drawn.
        history: rows of `history.csv`.
        augment: augmentation of the run.
        seed: of the run, for the augmentation.
    """
    from keras_radtl.figures.history import plot_history

    figure = new_figure(13, 4)
    panels = (["loss", "val_loss"], "loss"), (["val_auc"], "validation AUC"), (["val_accuracy"], "validation accuracy")
    for axes, (columns, ylabel) in zip(figure.subplots(1, len(panels)), panels, strict=True):
        plot_history(axes, history, columns, ylabel)
    save_figure(figure, run / FIGURES / "history.png")
    _draw_rates(run, [row for row in history if "rates" in row])
    _draw_samples(run, dataset, split, augment, seed)
    draw_coefficients(run, dataset, split)
    draw_predictions(run, dataset.cases, {name: parts[name] for name in ("val", "test")})


def draw_pooled(run: RunDirectory, table, pooled) -> None:
    """Draw the pooled out-of-fold predictions of a cross-validation."""
    draw_predictions(run, table, {"test": pooled})


def draw_predictions(run: RunDirectory, table, parts: dict) -> None:
    """Draw the ROC curves of the given splits and, except for multi-label tasks, the confusion matrix of `test`.

    Args:
        run: directory that is written to.
        table: CaseTable.
        parts: Predictions by split.
    """
    from keras_radtl.figures.confusion import plot_confusion
    from keras_radtl.figures.curves import plot_roc

    columns = [1] if len(table.classes) == 2 and not table.multilabel else range(len(table.classes))
    panels = 1 if len(columns) == 1 else len(parts)  # the curves of several classes have a panel for each split
    figure = new_figure(5 * panels, 5 if len(columns) == 1 else 4.5 + 0.18 * len(columns))
    every = figure.subplots(1, panels, squeeze=False)[0]
    for number, (name, predictions) in enumerate(parts.items()):
        axes = every[number % panels]
        probabilities = to_probabilities(predictions.logits, table.multilabel)
        targets = table.targets[predictions.indices]
        for column in columns:
            known, truth = _against_rest(table, targets, column)
            label = name if len(columns) == 1 else f"{name}, {table.classes[column]}"
            groups = np.asarray(table.groups)[predictions.indices][known]
            plot_roc(axes, truth, probabilities[known, column], label, groups=groups)
    save_figure(figure, run / FIGURES / "roc.png")
    if not table.multilabel:
        test = parts["test"]
        known = table.targets[test.indices] >= 0
        figure = new_figure(1.2 * len(table.classes) + 2, 1.2 * len(table.classes) + 1.6)
        predicted = test.predicted(table.multilabel)[known]
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
    """Draw the learning-rate multipliers by layer, if there are any."""
    from keras_radtl.figures.multipliers import plot_multipliers

    if history:
        layers = len({layer for row in history for layer in row["rates"]})
        figure = new_figure(8, min(2.0 + 0.14 * layers, 11))
        plot_multipliers(figure.subplots(), [row["epoch"] for row in history], [row["rates"] for row in history])
        save_figure(figure, run / FIGURES / "learning_rates.png")


def _draw_samples(run: RunDirectory, dataset, split, augment: AugmentConfig, seed: int, count: int = 8) -> None:
    """Draw some training images, and below each the augmented image of the first epoch."""
    from keras_radtl.figures.images import plot_images

    table, pixels = dataset.cases, dataset.pixels
    chosen = split.train[np.linspace(0, len(split.train) - 1, min(count, len(split.train))).astype(int)]
    parameters = sample_parameters(augment, seed, 0, chosen, pixels.shape[1:3])
    augmented = [augment_image(np.ascontiguousarray(pixels[i]), parameters.select(row)) for row, i in enumerate(chosen)]
    names = [table.target_text(table.targets[i]) for i in chosen]
    figure = new_figure(1.5 * count, 3.6)
    titles = [*names, *["augmented, epoch 1"] * len(chosen)]
    plot_images(figure, [*pixels[chosen], *augmented], titles, columns=len(chosen))
    save_figure(figure, run / FIGURES / "images.png")
