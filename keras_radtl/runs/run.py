"""A run as a Python object: configuration, tables, figures and models."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_radtl.config import Config, UserError
from keras_radtl.config.arguments import expand
from keras_radtl.config.serialization import update
from keras_radtl.runs.directory import RunDirectory
from keras_radtl.runs.evaluation import Evaluation, evaluate_models
from keras_radtl.runs.new_images import list_images, predict_images
from keras_radtl.runs.notes import metric_notes, notes_html
from keras_radtl.runs.run_plots import RunPlots
from keras_radtl.runs.tables import read_history, read_metrics, read_predictions
from keras_radtl.runs.trained_model import TrainedModel, load_models

if TYPE_CHECKING:
    import keras
    import pandas as pd


class Run(RunPlots):
    """A finished run, returned by `train` and `load_run`. Its files are read when they are first used.

    Args:
        path: The run directory.
    Raises:
        UserError: If the folder is not a finished run.
    """

    def __init__(self, path: str | Path):
        self.directory = RunDirectory(Path(path))
        self.config: Config = self.directory.config()
        self.directory.require_finished()

    @property
    def path(self) -> Path:
        """The run directory."""
        return self.directory.path

    @cached_property
    def summary(self) -> dict:
        """The content of `summary.json`: classes, image shape, best epoch or fold AUCs, parameters, seconds."""
        return self.directory.summary()

    @property
    def classes(self) -> tuple[str, ...]:
        """Class or label names, in the order of the logits."""
        return tuple(self.summary["classes"])

    @property
    def multilabel(self) -> bool:
        """Whether a case may have several labels."""
        return self.summary["multilabel"]

    @property
    def folds(self) -> int:
        """Number of folds; 0 for one split."""
        return len(self.summary.get("fold_auc", ()))

    @property
    def threshold(self) -> dict | None:
        """The threshold of `predict` and `evaluate`: `value`, `rule`, and validation `sensitivity` and `specificity`.

        That of a cross-validated run is chosen on the calibrated validation predictions of all folds; the test cases of
        a fold are predicted with its own, in `summary["fold_threshold"]`. None for more than two classes, for a
        multi-label task and for a run of version 0.1; the class of highest probability is predicted then.
        """
        return self.summary.get("threshold")

    @cached_property
    def metrics(self) -> dict[str, pd.DataFrame]:
        """Metrics by split: DataFrames indexed by metric with `value`, `ci_low`, `ci_high`, `n` and `method`.

        A cross-validated run has only the split `test`, the pooled predictions of all folds; its `auc_fold_mean` is the
        mean of the AUCs of the folds.
        """
        return read_metrics(self.directory)

    @property
    def notes(self) -> list[str]:
        """Notes on few cases, clustered and missing intervals, and a training that diverged; see `metric_notes`."""
        metrics = self.directory.metrics()
        return metric_notes({split: metrics[split] for split in ("val", "test") if split in metrics})

    @property
    def history(self) -> pd.DataFrame:
        """One row per epoch: phase, losses, validation metrics and learning rate; with cross-validation also `fold`."""
        return read_history(self.directory, self.folds)

    def predictions(self, split: str = "test") -> pd.DataFrame:
        """Return the predictions of a split.

        Args:
            split: `train`, `val` or `test`.
        Returns:
            DataFrame with `case`, `path`, `group`, `split`, `label`, `predicted`, `logit_<class>` and `prob_<class>`.
        """
        return read_predictions(self.directory, split)

    @cached_property
    def trained(self) -> TrainedModel:
        """The models with their classes and image format."""
        return load_models(self.path)

    @property
    def models(self) -> tuple[keras.Model, ...]:
        """The models, one per fold, from uint8 images to float32 logits."""
        return self.trained.models

    def predict(self, images: Sequence[str | Path] | str | Path, on_bad_image: str = "error") -> pd.DataFrame:
        """Predict image files with the views and the threshold of the run; the calibrated folds are averaged.

        Args:
            images: Files and folders; a folder is replaced by the images in it and its subfolders.
            on_bad_image: `error`, or `skip` files that cannot be used; a warning with their number is logged.
        Returns:
            DataFrame with `path`, `prob_<class>` for each class and `predicted`; a cross-validated run also has
            `sd_<class>`, the standard deviation of the probability over the folds.
        Raises:
            UserError: If a file cannot be used, or none with `skip`; the message names it.
        """
        import pandas as pd

        found = predict_images(self.trained, list_images(images), on_bad_image)
        columns: dict[str, Any] = {"path": found.paths}
        columns |= {f"prob_{name}": found.probabilities[:, i] for i, name in enumerate(found.classes)}
        columns["predicted"] = found.predicted
        if found.spread is not None:
            columns |= {f"sd_{name}": found.spread[:, i] for i, name in enumerate(found.classes)}
        return pd.DataFrame(columns)

    def evaluate(self, data: str | Path, **overrides) -> Evaluation:
        """Evaluate the models on other labelled images, which are predicted as by `predict`.

        Args:
            data: Folder of class folders, CSV or `.npz` file.
            overrides: `label`, `positive`, `groups` and other keys of the section `data`; the default of a key is its
                value in the run.
        Returns:
            Evaluation, with `metrics` as a DataFrame.
        Raises:
            UserError: If the data cannot be read or have a class that the run does not have.
        """
        changes = expand({"data": data, **overrides})
        foreign = [section for section in changes if section != "data"]
        if foreign:
            raise UserError(f"`evaluate` takes only keys of the section data. Received: {', '.join(foreign)}")
        return evaluate_models(self.trained, update(self.trained.data, changes["data"], "data"), self.config.seed)

    def __repr__(self) -> str:
        auc = self.metrics["test"]["value"].get("auc") if "test" in self.metrics else None
        shown = f", test AUC {auc:.3f}" if auc is not None else ""
        shown += ", diverged" * bool(self.summary.get("diverged"))
        return f"Run({str(self.path)!r}, {self.config.model.backbone}, {' / '.join(self.classes)}{shown})"

    def _repr_html_(self) -> str:
        import html

        tables = "".join(f"<h4>{split}</h4>{frame.to_html()}" for split, frame in self.metrics.items())
        return f"<p>{html.escape(repr(self))}</p>{tables}{notes_html(self.notes)}"


def load_run(path: str | Path) -> Run:
    """Open a finished run.

    Args:
        path: The run directory.
    Raises:
        UserError: If the folder is not a finished run.
    """
    return Run(path)
