"""The models of a finished run, ready to predict.

The architecture is rebuilt from the configuration of the run; only the weights are read from `model.keras`, so that
no code is loaded from a file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from keras_radtl.config import DataConfig, ModelConfig, UserError
from keras_radtl.data.images import load_images
from keras_radtl.data.table import CaseTable
from keras_radtl.reproducibility import import_tensorflow
from keras_radtl.runs.directory import MODEL, SUMMARY, RunDirectory
from keras_radtl.runs.files import read_json
from keras_radtl.runs.inference import Predictor


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
        return load_images(table, self.data, self.image_shape[0], progress=progress).pixels


def load_models(path: str | Path) -> TrainedModel:
    """Load the models of a finished run.

    Raises:
        UserError: If the folder is not a finished run.
    """
    import_tensorflow()
    run = RunDirectory(Path(path))
    config = run.config()
    if not run.finished:
        raise UserError(f"{path} is not finished; repeat the command or call that started it to resume")
    summary = read_json(run / SUMMARY)
    classes, shape, multilabel = tuple(summary["classes"]), tuple(summary["image_shape"]), summary["multilabel"]
    folders = [run] if "fold_auc" not in summary else [run.fold(i + 1) for i in range(len(summary["fold_auc"]))]
    make = (config.model, len(classes), shape, config.seed, multilabel, config.training.precision)
    models = tuple(_load_model(folder / MODEL, *make) for folder in folders)
    height, _, channels = shape
    data = replace(config.data, image_size=height, channels="grey" if channels == 1 else "rgb")
    return TrainedModel(data, classes, multilabel, shape, models, config.training.batch_size)


def _load_model(path: Path, config: ModelConfig, num_classes: int, shape, seed: int, multilabel: bool, precision: str):
    from keras_radtl.models.classifier import build_classifier
    from keras_radtl.models.precision import dtype_policy

    if not path.is_file():
        raise UserError(f"No model file: {path}")
    with dtype_policy(precision):
        model = build_classifier(config, num_classes, shape, seed, multilabel, load_weights=False)
    model.load_weights(path)
    return model
