"""The models of a finished run, ready to predict.

The architecture is rebuilt from the configuration of the run; only the weights are read from `model.keras`, so that
no code is loaded from a file.
"""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from keras_radtl.config import DataConfig, ModelConfig, UserError
from keras_radtl.data.images import Images, load_images
from keras_radtl.data.table import CaseTable
from keras_radtl.data.views import UNCHANGED, View, make_views, mean_of_views
from keras_radtl.metrics.logit_calibration import Calibration, calibrate_logits
from keras_radtl.reproducibility import import_tensorflow
from keras_radtl.runs.decision import applied_threshold, fold_calibrations
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
        views: Views of an image whose logits are averaged, as for the test cases of the run.
        calibrations: Calibration of each fold on its validation cases, before folds are averaged; () for none.
        threshold: Probability from which the second of two classes is predicted; None: the class of highest
            probability.
        diverged: Whether the training has diverged, of one fold at least.
    """

    data: DataConfig
    classes: tuple[str, ...]
    multilabel: bool
    image_shape: tuple[int, int, int]
    models: tuple
    batch_size: int
    views: tuple[View, ...] = (UNCHANGED,)
    calibrations: tuple[Calibration, ...] = ()
    threshold: float | None = None
    diverged: bool = False

    @property
    def passes(self) -> int:
        """Number of times that an image passes through a model: models times views."""
        return len(self.models) * len(self.views)

    def fold_logits(self, pixels: np.ndarray, advance=None) -> np.ndarray:
        """Return the logits of images by each model, averaged over the views of an image.

        Args:
            pixels: uint8 array of shape (n, height, width, channels).
            advance: Called with the number of images of a batch, once for each batch, view and model.
        Returns:
            float32 array of shape (n_models, n, n_classes).
        """
        return np.stack([self._model_logits(Predictor(model), pixels, advance) for model in self.models])

    def _model_logits(self, predict: Predictor, pixels: np.ndarray, advance) -> np.ndarray:
        from keras_radtl.data.pipeline import evaluation_batches

        def logits(view: View) -> np.ndarray:
            change = view.change if view.name else None
            batches = evaluation_batches(pixels, np.arange(len(pixels)), self.batch_size, change=change)
            return predict(batches, advance)

        return mean_of_views(logits, self.views)

    def logits(self, pixels: np.ndarray, advance=None) -> np.ndarray:
        """Return the logits of images, calibrated by fold and averaged over the models of all folds.

        Args:
            pixels: uint8 array of shape (n, height, width, channels).
            advance: Called with the number of images of a batch, once for each batch, view and model.
        Returns:
            float32 array of shape (n, n_classes).
        """
        return np.mean(self.calibrated(self.fold_logits(pixels, advance)), axis=0, dtype=np.float32)

    def calibrated(self, logits: np.ndarray) -> np.ndarray:
        """Return the logits of each model on the common scale of the folds; unchanged without calibrations.

        Args:
            logits: From `fold_logits`.
        Returns:
            float32 array of the same shape.
        """
        if not self.calibrations:
            return logits
        pairs = zip(logits, self.calibrations, strict=True)
        return np.stack([calibrate_logits(*pair) for pair in pairs]).astype(np.float32)

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
    views = make_views(config.prediction.tta, config.augment, config.seed)
    learned = (fold_calibrations(summary), applied_threshold(summary))
    diverged = bool(summary.get("diverged"))
    return TrainedModel(data, classes, multilabel, shape, models, config.training.batch_size, views, *learned, diverged)


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
    if _resizes(model) and '"size"' not in _scaling_configs(path):
        raise UserError(f"{path} was saved by version 0.1, whose backbones saw images of one size; {_READABLE}")
    return model


def _resizes(model) -> bool:
    """Return whether backbones see the images at different sizes."""
    return any(getattr(layer, "size", None) for layer in model.layers if layer.name.endswith("scaling"))


def _scaling_configs(path: Path) -> str:
    """Return the configurations of the scaling layers in a model file, as text."""
    with zipfile.ZipFile(path) as archive:
        layers = json.loads(archive.read("config.json"))["config"]["layers"]
    return json.dumps([layer["config"] for layer in layers if layer["class_name"] == "PixelScaling"])


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
