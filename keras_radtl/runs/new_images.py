"""Predictions for new images without labels, by the models of a run."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_radtl.config import UserError, require
from keras_radtl.data.sources.paths import IMAGE_SUFFIXES, is_hidden_name, is_image_name, is_mask_name
from keras_radtl.data.table import CaseTable, Rejected
from keras_radtl.models.probabilities import predicted_classes, to_probabilities
from keras_radtl.runs.divergence import ADVICE
from keras_radtl.runs.inference import require_finite
from keras_radtl.runs.progress import Progress
from keras_radtl.runs.trained_model import TrainedModel

POLICIES = ("error", "skip")  # what to do with an image that cannot be used
logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ImagePredictions:
    """Predictions for image files.

    Attributes:
        paths: The files.
        classes: Class or label names.
        predicted: Class names, for two classes by the threshold of the run; for a multi-label task the labels with a
            probability above 0.5, joined by `;`.
        logits: float32 array of shape (n, n_classes), the mean over the calibrated models of all folds.
        probabilities: float64 array of shape (n, n_classes), computed from `logits`.
        spread: float64 array of shape (n, n_classes), standard deviation of the probabilities over the folds; None
            for a run with one model.
        rejected: Files that cannot be used, each with the reason.
    """

    paths: tuple[str, ...]
    classes: tuple[str, ...]
    predicted: tuple[str, ...]
    logits: np.ndarray
    probabilities: np.ndarray
    spread: np.ndarray | None
    rejected: tuple[Rejected, ...] = ()


def list_images(paths: Sequence[str | Path] | str | Path) -> list[str]:
    """Return image files in the given order; a folder is replaced by the images in it and its subfolders.

    Args:
        paths: Files and folders. The images of a folder are sorted by path, without hidden files and folders and
            files with `_mask` in their name, whose number is logged; such files can be given themselves.
    Raises:
        UserError: If a path does not exist or a folder contains no image.
    """
    files = []
    for path in map(str, [paths] if isinstance(paths, (str, Path)) else paths):
        try:
            if os.path.isdir(path) and not is_image_name(path):
                files += _without_masks(path, sorted(_images(path)))
            elif os.lstat(path):
                files.append(path)
        except OSError as error:
            raise UserError(f"No such file or folder: {path!r} ({error.strerror})") from None
        except ValueError as error:  # a NUL byte, or text that is not Unicode
            raise error if isinstance(error, UserError) else UserError(f"No such file or folder: {path!r}") from None
    return files


def _without_masks(folder: str, found: list[str]) -> list[str]:
    """Return the images found in a folder that `fit` would read, and log how many masks are excluded."""
    images = [path for path in found if not is_mask_name(os.path.basename(path))]
    masks = f"files with _mask in their name: {len(found) - len(images)}"
    if not images:
        detail = f"; excluded {masks}" if found else ""
        raise UserError(f"{folder} contains no image ({', '.join(IMAGE_SUFFIXES)}){detail}")
    if len(found) > len(images):
        logger.info("%s: excluded: %s", folder, masks)
    return images


def _images(folder: str) -> Iterator[str]:
    """Yield the paths with the name of an image; what is not a file is refused where it is decoded."""

    def fail(error: OSError) -> None:
        raise error

    for parent, folders, names in os.walk(folder, onerror=fail):
        names += [name for name in folders if is_image_name(name)]
        folders[:] = [name for name in folders if not is_hidden_name(name) and not is_image_name(name)]
        for name in names:
            if is_image_name(name) and not is_hidden_name(name):
                yield os.path.join(parent, name)


def predict_images(trained: TrainedModel, files: Sequence[str], on_bad_image: str = "error") -> ImagePredictions:
    """Predict image files.

    Args:
        trained: From `load_models`.
        files: From `list_images`.
        on_bad_image: `error`, or `skip` files that cannot be used.
    Raises:
        UserError: If a file cannot be used, or none with `skip`, or if a logit is not finite; the message names it.
    """
    require(on_bad_image in POLICIES, "on_bad_image", " or ".join(POLICIES), on_bad_image)
    with Progress("images", len(files)) as progress:
        images = trained.read_images(_table(files), on_bad_image, progress.update)
    if images.rejected:
        count, first = len(images.rejected), images.rejected[0]
        logger.warning("%d of %d images skipped, first: %s: %s", count, len(files), first.path, first.reason)
    files, pixels = [files[row] for row in images.kept], images.pixels
    if trained.diverged:
        logger.warning("%s", ADVICE)
    with Progress("predicting", len(files) * trained.passes) as progress:
        each = trained.calibrated(trained.fold_logits(pixels, progress.advance))
    logits = np.mean(each, axis=0, dtype=np.float32)
    require_finite(logits, files)
    probabilities = to_probabilities(logits, trained.multilabel)
    folds = np.stack([to_probabilities(values, trained.multilabel) for values in each])
    spread = folds.std(axis=0, ddof=1) if len(folds) > 1 else None
    called = predicted_classes(probabilities, trained.multilabel, trained.threshold)
    names = tuple(_names(trained, row) for row in called)
    return ImagePredictions(tuple(files), trained.classes, names, logits, probabilities, spread, images.rejected)


def _table(files: Sequence[str]) -> CaseTable:
    names = tuple(f"{i:06d}" for i in range(len(files)))
    unknown = np.full(len(files), -1, np.int32)
    return CaseTable("new images", Path(), names, tuple(files), names, ("-", "+"), unknown)


def _names(trained: TrainedModel, called: np.ndarray) -> str:
    if trained.multilabel:
        return ";".join(name for name, present in zip(trained.classes, called, strict=True) if present)
    return trained.classes[called]
