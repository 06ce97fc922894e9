"""Figures and files of statistical baselines: coefficients as images, and the simulation."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np

from keras_radtl.reports.figure_files import new_figure, save_figure
from keras_radtl.runs.directory import COEFFICIENTS, FIGURES, RunDirectory
from keras_radtl.runs.files import write_json

SIMULATION = "simulation.json"


def draw_coefficients(run: RunDirectory, dataset, split) -> None:
    """Draw the coefficients of pixels beside the mean training image of each class, if the run has such coefficients.

    Args:
        run: Directory of the model.
        dataset: Dataset, its cases and pixels.
        split: Split that the model was fitted on.
    """
    from keras_radtl.figures.coefficients import plot_class_means

    pixels, table = dataset.pixels, dataset.cases
    if not (run / COEFFICIENTS).is_file():
        return
    with np.load(run / COEFFICIENTS) as stored:
        coefficients = stored["coef"]
    if coefficients.size != pixels.shape[1] * pixels.shape[2]:
        return
    images = np.asarray(pixels[split.train]).mean(axis=-1)
    figure = new_figure(3.2 * (len(table.classes) + 1), 3.2)
    axes = figure.subplots(1, len(table.classes) + 1)
    plot_class_means(axes, images, table.targets[split.train], table.classes, coefficients)
    save_figure(figure, run / FIGURES / "coefficients.png")


def write_simulation(folder: Path, result) -> None:
    """Write the result of `baselines.simulate` as `simulation.json` and `simulation.png`.

    Args:
        folder: Folder, which is made.
        result: The `Simulation`.
    """
    from keras_radtl.figures.coefficients import plot_differences, plot_true_and_estimated

    folder.mkdir(parents=True, exist_ok=True)
    values = {field.name: getattr(result, field.name) for field in fields(result)}
    write_json(folder / SIMULATION, {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in values.items()})
    side = round(len(result.true) ** 0.5)
    figure = new_figure(11, 3.4)
    axes = figure.subplots(1, 3)
    plot_true_and_estimated(axes[:2], result.true, result.mean_estimate, (side, side))
    plot_differences(axes[2], result.differences, result.magnitude)
    save_figure(figure, folder / "simulation.png")
