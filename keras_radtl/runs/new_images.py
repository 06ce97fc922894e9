"""Predictions for new images without labels, by the models of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_radtl.config import UserError
from keras_radtl.data.sources.paths import IMAGE_SUFFIXES
from keras_radtl.data.table import CaseTable
from keras_radtl.models.probabilities import to_probabilities
from keras_radtl.runs.progress import Progress
from keras_radtl.runs.trained_model import TrainedModel


@dataclass(frozen=True, eq=False)
class ImagePredictions:
    """Predictions for image files.

    Attributes:
        paths: The files.
        classes: Class or label names.
        predicted: Class names; for a multi-label task the labels with a probability above 0.5, joined by `;`.
        logits: float32 array of shape (n, n_classes), the mean over the models of all folds.
        probabilities: float64 array of shape (n, n_classes), computed from `logits`.
        spread: float64 array of shape (n, n_classes), standard deviation of the probabilities over the folds; None
            for a run with one model.
    """

    paths: tuple[str, ...]
    classes: tuple[str, ...]
    predicted: tuple[str, ...]
    logits: np.ndarray
    probabilities: np.ndarray
    spread: np.ndarray | None


def list_images(paths: Sequence[str | Path] | str | Path) -> list[str]:
    """Return image files in the given order; a folder is replaced by the images in it and its subfolders.

    Args:
        paths: Files and folders; the images of a folder are sorted by path.
    Raises:
        UserError: If a path does not exist or a folder contains no image.
    """
    files = []
    for path in map(Path, [paths] if isinstance(paths, (str, Path)) else paths):
        if path.is_dir():
            found = sorted(str(f) for f in path.rglob("*") if f.suffix.lower() in IMAGE_SUFFIXES and f.is_file())
            if not found:
                raise UserError(f"{path} contains no image ({', '.join(IMAGE_SUFFIXES)})")
            files += found
        elif path.is_file():
            files.append(str(path))
        else:
            raise UserError(f"No such file or folder: {path}")
    return files


def predict_images(trained: TrainedModel, files: Sequence[str]) -> ImagePredictions:
    """Predict image files.

    Args:
        trained: From `load_models`.
        files: From `list_images`.
    Raises:
        UserError: If a file cannot be read; the message names it.
    """
    with Progress("images", len(files)) as progress:
        pixels = trained.read(_table(files), progress.update)
    with Progress("predicting", len(files) * len(trained.models)) as progress:
        each = trained.fold_logits(pixels, progress.advance)
    logits = np.mean(each, axis=0, dtype=np.float32)
    probabilities = to_probabilities(logits, trained.multilabel)
    folds = np.stack([to_probabilities(values, trained.multilabel) for values in each])
    spread = folds.std(axis=0, ddof=1) if len(folds) > 1 else None
    predicted = tuple(_predicted(trained, row) for row in probabilities)
    return ImagePredictions(tuple(files), trained.classes, predicted, logits, probabilities, spread)


def _table(files: Sequence[str]) -> CaseTable:
    names = tuple(f"{i:06d}" for i in range(len(files)))
    unknown = np.full(len(files), -1, np.int32)
    return CaseTable("new images", Path(), names, tuple(files), names, ("-", "+"), unknown)


def _predicted(trained: TrainedModel, probabilities: np.ndarray) -> str:
    if trained.multilabel:
        return ";".join(name for name, p in zip(trained.classes, probabilities, strict=True) if p > 0.5)
    return trained.classes[int(probabilities.argmax())]
