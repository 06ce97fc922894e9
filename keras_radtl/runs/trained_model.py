"""A finished run as something that predicts.

The architecture is rebuilt from the run's own configuration and only weights are read from `model.keras`: a file never
brings code along.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from keras_radtl.config import Config, DataConfig, UserError
from keras_radtl.data.images import load_images
from keras_radtl.data.table import CaseTable
from keras_radtl.reproducibility import import_tensorflow
from keras_radtl.runs.directory import MODEL, SUMMARY, RunDirectory
from keras_radtl.runs.files import read_json
from keras_radtl.runs.inference import Predictor


@dataclass(frozen=True)
class LoadedRun:
    """The models of a run and what they were made for.

    Attributes:
        config: configuration of the run.
        classes: class or label names, in the order of the logits.
        multilabel: whether a case may have several labels.
        image_shape: (height, width, channels) of the images.
        models: one, or one a fold.
    """

    config: Config
    classes: tuple[str, ...]
    multilabel: bool
    image_shape: tuple[int, int, int]
    models: tuple

    @property
    def data_config(self) -> DataConfig:
        """How images become pixels: as in the run, with its image size and channels."""
        height, _, channels = self.image_shape
        return replace(self.config.data, image_size=height, channels="grey" if channels == 1 else "rgb")

    def logits(self, pixels: np.ndarray, advance=None) -> np.ndarray:
        """Return the logits of images, the mean over the models of all folds.

        Args:
            pixels: uint8 (n, height, width, channels).
            advance: called with the number of images done, once for each batch and model.
        Returns:
            float32 (n, classes).
        """
        from keras_radtl.data.pipeline import evaluation_batches

        size, rows = self.config.training.batch_size, np.arange(len(pixels))
        each = [Predictor(model)(evaluation_batches(pixels, rows, size), advance) for model in self.models]
        return np.mean(each, axis=0, dtype=np.float32)

    def read(self, table: CaseTable, progress=None) -> np.ndarray:
        """Return the pixels of a table's images as this run handles them, uint8 (n, height, width, channels)."""
        return load_images(table, self.data_config, self.image_shape[0], progress=progress).pixels


def load_run(path: str | Path) -> LoadedRun:
    """Load the models of a finished run.

    Raises:
        UserError: when the folder is not a finished run.
    """
    import_tensorflow()
    run = RunDirectory(Path(path))
    config = run.config()
    if not run.finished:
        raise UserError(f"{path} is not finished; the command that started it goes on with it")
    summary = read_json(run / SUMMARY)
    shape, multilabel = tuple(summary["image_shape"]), summary["multilabel"]
    folders = [run] if "fold_auc" not in summary else [run.fold(i + 1) for i in range(len(summary["fold_auc"]))]
    models = tuple(_load_model(folder / MODEL, config, summary["classes"], shape, multilabel) for folder in folders)
    return LoadedRun(config, tuple(summary["classes"]), multilabel, shape, models)


def _load_model(path: Path, config: Config, classes, shape, multilabel: bool):
    from keras_radtl.models.classifier import build_classifier
    from keras_radtl.models.precision import dtype_policy

    if not path.is_file():
        raise UserError(f"No model file: {path}")
    with dtype_policy(config.training.precision):
        model = build_classifier(config.model, len(classes), shape, config.seed, multilabel, load_weights=False)
    model.load_weights(path)
    return model
