"""Coefficients of pixels as images: beside the mean images of the classes, and true beside estimated ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keras_radtl.figures.labels import label_text


def plot_coefficients(axes, coefficients, shape: tuple[int, int], title: str = "coefficients", largest=None):
    """Draw a heat map of coefficients: red above 0, blue below, white at 0, with a colour bar.

    Args:
        axes: Matplotlib axes.
        coefficients: float array of shape (height * width,).
        shape: Height and width in pixels.
        title: Title.
        largest: Magnitude at the ends of the colour scale; None means the largest one of `coefficients`.

    Returns:
        The axes.
    """
    values = np.asarray(coefficients).reshape(shape)
    limit = float(np.abs(values).max() if largest is None else largest) or 1.0
    picture = axes.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    axes.figure.colorbar(picture, ax=axes, fraction=0.046, pad=0.04)
    return _finish(axes, title)


def plot_class_means(axes, images, targets, class_names: Sequence[str], coefficients):
    """Draw the mean image of each class, and the coefficients beside them.

    Args:
        axes: Sequence of matplotlib axes, one per class and one more.
        images: Array of shape (n, height, width), grey values from 0 to 255.
        targets: int array of shape (n,), numbers of classes from 0.
        class_names: Name of each class.
        coefficients: float array of shape (height * width,).

    Returns:
        The axes.
    """
    images, targets = np.asarray(images), np.asarray(targets)
    for number, (name, one) in enumerate(zip(class_names, axes[:-1], strict=True)):
        members = targets == number
        one.imshow(images[members].mean(0), cmap="gray", vmin=0, vmax=255)
        _finish(one, f"mean of {label_text(name)} (n = {members.sum()})")
    plot_coefficients(axes[-1], coefficients, images.shape[1:])
    return axes


def plot_true_and_estimated(axes, true, estimated, shape: tuple[int, int]):
    """Draw true and mean estimated coefficients side by side, in one colour scale.

    Args:
        axes: Two matplotlib axes.
        true: float array of shape (height * width,).
        estimated: float array of shape (height * width,).
        shape: Height and width in pixels.

    Returns:
        The axes.
    """
    largest = max(np.abs(true).max(), np.abs(estimated).max())
    plot_coefficients(axes[0], true, shape, "true coefficients", largest)
    plot_coefficients(axes[1], estimated, shape, "mean estimate", largest)
    return axes


def plot_differences(axes, differences, magnitude: float | None = None):
    """Draw a histogram of the mean absolute differences of simulated rounds, with their mean.

    Args:
        axes: Matplotlib axes.
        differences: float array of shape (rounds,).
        magnitude: Mean magnitude of the true coefficients, for the label; None leaves it out.

    Returns:
        The axes.
    """
    values = np.asarray(differences)
    axes.hist(values, bins="auto", color="0.75", edgecolor="0.4", linewidth=0.6)
    spread = values.std(ddof=1)
    text = f"mean {values.mean():.4f}, SD {spread:.2g}"
    if magnitude is not None:
        text += f"\n(mean magnitude {magnitude:.3g})"
    axes.axvline(values.mean(), color="C3", linewidth=1.5, label=text)
    axes.set(xlabel="mean absolute difference of coefficients", ylabel="rounds")
    axes.margins(y=0.25)
    axes.locator_params(axis="x", nbins=5)
    axes.legend(fontsize=8, loc="upper right")
    return axes


def _finish(axes, title: str):
    axes.set_title(title, fontsize=9)
    axes.axis("off")
    return axes
