"""The models of a finished run, ready to predict.

The architecture is rebuilt from the configuration of the run; only the weights are read from `model.keras`, so that
no code is loaded from a file.
"""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from keras_radtl.config import DataConfig, ModelConfig, UserError
from keras_radtl.data.images import Images, load_images
from keras_radtl.data.table import CaseTable
from keras_radtl.reproducibility import import_tensorflow
from keras_radtl.runs.directory import CONFIG, MODEL, RunDirectory
from keras_radtl.runs.inference import Predictor

_READABLE = "metrics and predictions of the run can still be read"


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """The models of a run and the image format that they expect.

    Attributes:
        data: Section `data` of the configuration, with the image size and channels of the run.
        classes: Class or label names, in the order of the logits.
        multilabel: Whether a case may have several labels.
        image_shape: (height, width, channels) of the images.
        models: One model, or one per fold.
        batch_size: Number of images in a batch.
    """

    data: DataConfig
    classes: tuple[str, ...]
    multilabel: bool
    image_shape: tuple[int, int, int]
    models: tuple
    batch_size: int

    def fold_logits(self, pixels: np.ndarray, advance=None) -> np.ndarray:
        """Return the logits of images by each model.

        Args:
            pixels: uint8 array of shape (n, height, width, channels).
            advance: Called with the number of images of a batch, once for each batch and model.
        Returns:
            float32 array of shape (n_models, n, n_classes).
        """
        from keras_radtl.data.pipeline import evaluation_batches

        rows = np.arange(len(pixels))
        batches = [evaluation_batches(pixels, rows, self.batch_size) for _ in self.models]
        return np.stack([Predictor(model)(b, advance) for model, b in zip(self.models, batches, strict=True)])

    def logits(self, pixels: np.ndarray, advance=None) -> np.ndarray:
        """Return the logits of images, averaged over the models of all folds.

        Args:
            pixels: uint8 array of shape (n, height, width, channels).
            advance: Called with the number of images of a batch, once for each batch and model.
        Returns:
            float32 array of shape (n, n_classes).
        """
        return np.mean(self.fold_logits(pixels, advance), axis=0, dtype=np.float32)

    def read(self, table: CaseTable, progress=None) -> np.ndarray:
        """Return the images of a table, preprocessed as in the run: uint8 array (n, height, width, channels)."""
        return self.read_images(table, "error", progress).pixels

    def read_images(self, table: CaseTable, on_bad_image: str, progress=None) -> Images:
        """Return the images of a table, preprocessed as in the run, and the files that cannot be used.

        Args:
            table: The cases.
            on_bad_image: `error` or `skip`.
            progress: Called with (images done, images in total).
        Raises:
            UserError: If a file cannot be used, or none with `skip`; the message names it.
        """
        data = replace(self.data, on_bad_image=on_bad_image)
        return load_images(table, data, self.image_shape[0], progress=progress)


def load_models(path: str | Path) -> TrainedModel:
    """Load the models of a finished run.

    Raises:
        UserError: If the folder is not a finished run.
    """
    run = RunDirectory(Path(path))
    config = run.config()
    run.require_finished()
    summary = run.summary()
    classes, shape, multilabel = tuple(summary["classes"]), tuple(summary["image_shape"]), summary["multilabel"]
    folders = [run] if "fold_auc" not in summary else [run.fold(i + 1) for i in range(len(summary["fold_auc"]))]
    for folder in folders:
        _check_model(folder / MODEL)
    import_tensorflow()
    make = (config.model, len(classes), shape, config.seed, multilabel, config.training.precision)
    models = tuple(_load_model(folder / MODEL, *make) for folder in folders)
    height, _, channels = shape
    data = replace(config.data, image_size=height, channels="grey" if channels == 1 else "rgb")
    return TrainedModel(data, classes, multilabel, shape, models, config.training.batch_size)


def _load_model(path: Path, config: ModelConfig, num_classes: int, shape, seed: int, multilabel: bool, precision: str):
    from keras_radtl.models.classifier import build_classifier
    from keras_radtl.models.precision import dtype_policy

    with dtype_policy(precision):
        model = build_classifier(config, num_classes, shape, seed, multilabel, load_weights=False)
    try:
        model.load_weights(path)
    except Exception as error:  # of Keras, h5py or the archive
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path} does not fit the {CONFIG} of its run: {reason[:120]}; {_READABLE}") from None
    return model


def _check_model(path: Path) -> None:
    """Refuse a model file that is missing or damaged; every checksum in it is verified."""
    if not path.is_file():
        raise UserError(f"{path} is {'not a file' if os.path.lexists(path) else 'missing'}; {_READABLE}")
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
            if damaged is None and "model.weights.h5" in archive.namelist():
                return
        reason = f"the checksum of {damaged} is wrong" if damaged else "it has no weights"
    except Exception as error:  # of the archive, whatever its content
        reason = str(error) or type(error).__name__
    raise UserError(f"{path} is damaged: {reason[:120]}; {_READABLE}")
