"""Keras callbacks: dropout seeds, learning rate, validation, progress, checkpoints and interruption."""

from __future__ import annotations

import logging
import math
import time

import keras
import numpy as np

from keras_radtl.config import UserError
from keras_radtl.models.keras_internals import flatten_layers
from keras_radtl.models.probabilities import mean_loss, to_probabilities
from keras_radtl.reproducibility import derive_seed
from keras_radtl.runs.progress import clock
from keras_radtl.training import checkpoint

logger = logging.getLogger(__name__)


class ResetDropoutSeeds(keras.callbacks.Callback):
    """Derive the state of each dropout layer from (seed, epoch), so that a resumed run drops the same units.

    Keras does not save this state.

    Args:
        seed: Seed of the run.
    """

    def __init__(self, seed: int):
        super().__init__()
        self.seed = seed

    def on_epoch_begin(self, epoch, logs=None):
        for layer in flatten_layers(self.model):
            generator = getattr(layer, "seed_generator", None)
            if generator is not None:
                generator.state.assign([derive_seed(self.seed, epoch, layer.path), 0])


class LearningRateSchedule(keras.callbacks.Callback):
    """Set and log the learning rate of each epoch.

    Args:
        rate: Function of the epoch, counted from 0, that returns the learning rate.
    """

    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def on_epoch_begin(self, epoch, logs=None):
        self.model.optimizer.learning_rate = self.rate(epoch)

    def on_epoch_end(self, epoch, logs=None):
        logs["learning_rate"] = float(self.rate(epoch))


class LearningRateMultipliers(keras.callbacks.Callback):
    """Begin each epoch of the learning-rate multipliers; some are measured on batches of the epoch.

    Place it after `ResetDropoutSeeds`, so that a resumed run measures with the same dropout.

    Args:
        multipliers: From `make_multipliers`.
        batches: Function of the epoch, counted from 0, that returns its batches as a `tf.data.Dataset`.
    """

    def __init__(self, multipliers, batches):
        super().__init__()
        self.multipliers, self.batches = multipliers, batches

    def on_epoch_begin(self, epoch, logs=None):
        self.multipliers.begin_epoch(self.model, lambda: self.batches(epoch))


class LogPenalty(keras.callbacks.Callback):
    """Log the penalty terms of the loss, if there are any."""

    def on_epoch_end(self, epoch, logs=None):
        if self.model.losses:
            logs["penalty"] = float(sum(self.model.losses))


class Validation(keras.callbacks.Callback):
    """Add `val_loss`, exact `val_auc` and `val_accuracy` to the logs of each epoch.

    Args:
        predict: Function without arguments that returns the validation logits, float array of shape (n, n_classes).
        targets: Targets of the validation cases.
        score: Function (targets, probabilities) -> AUC, averaged over classes or labels.
        multilabel: Whether targets are 0, 1 or NaN for each label.
        gamma: Exponent of the focal loss in `val_loss`; 0: cross-entropy. `val_loss` is not weighted by class.
        prefix: Beginning of each log line, such as `fold 1/5  `.
    """

    def __init__(self, predict, targets, score, multilabel: bool, gamma: float = 0.0, prefix: str = ""):
        super().__init__()
        self.predict, self.targets, self.score, self.multilabel = predict, targets, score, multilabel
        self.gamma, self.prefix = gamma, prefix

    def on_epoch_end(self, epoch, logs=None):
        if not math.isfinite(logs["loss"]):
            raise UserError(
                f"The training loss is not finite in epoch {epoch + 1}: lower `learning_rate` or `weight_decay`. "
                "Earlier epochs are saved."
            )
        logits = self.predict()
        if not np.isfinite(logits).all():
            raise UserError(
                f"The validation logits are not finite in epoch {epoch + 1}: lower `learning_rate`. "
                "Earlier epochs are saved."
            )
        probabilities = to_probabilities(logits, self.multilabel)
        logs["val_loss"] = mean_loss(logits, self.targets, self.multilabel, self.gamma)
        logs["val_auc"] = float(self.score(self.targets, probabilities))
        if math.isnan(logs["val_auc"]):
            raise UserError("The validation AUC is undefined: a class or label has no validation cases")
        if self.multilabel:
            known = ~np.isnan(self.targets)
            logs["val_accuracy"] = float(((probabilities > 0.5) == (self.targets > 0.5))[known].mean())
            return
        predicted = probabilities.argmax(axis=1)
        logs["val_accuracy"] = float((predicted == self.targets).mean())
        if len(np.unique(predicted)) == 1:
            text = "all validation cases are predicted as one class; try another learning rate or more epochs"
            logger.warning("%sepoch %d: %s", self.prefix, epoch + 1, text)


class SaveCheckpoint(keras.callbacks.Callback):
    """Update the training state after each epoch and save it; stop early if the metric does not improve.

    Args:
        run: `RunDirectory` of the checkpoint.
        whole: The whole classifier; the trained model may be its upper part.
        initial: Initial weights of the classifier.
        state: The training state, which is updated in place.
        phase: Name of the phase, for the history.
        monitor: Metric that selects the best epoch: `val_auc` or `val_loss`.
        patience: Epochs without improvement after which the phase ends; None: never.
        total_patience: Epochs without improvement after which the run ends; None: never.
        rates: Learning-rate multipliers by layer, for the history, or None.
        interval: Minimum time between two checkpoints, in seconds; 0: a checkpoint after each epoch.

    Attributes:
        saved_epochs: Number of epochs in the last checkpoint.
    """

    def __init__(
        self, run, whole, initial, state: checkpoint.TrainingState, phase: str, monitor: str, patience: int | None,
        total_patience: int | None, rates, interval: float,
    ):  # fmt: skip
        super().__init__()
        self.monitor = monitor
        self.run, self.whole, self.initial, self.state = run, whole, initial, state
        self.phase, self.patience, self.total_patience, self.rates = phase, patience, total_patience, rates
        self.interval, self._saved = interval, time.monotonic()
        self.saved_epochs = state.epoch

    def on_train_begin(self, logs=None):
        inside = {variable.path for variable in self.model.weights}
        changed = checkpoint.changed_weights(self.whole, self.initial)  # in earlier phases
        self._below = {path: value for path, value in changed.items() if path not in inside}

    def on_epoch_end(self, epoch, logs=None):
        state, value = self.state, logs[self.monitor]
        state.epoch = epoch + 1
        state.history.append(
            {"epoch": epoch + 1, "phase": self.phase, **{name: float(logs[name]) for name in sorted(logs)}}
        )
        if self.rates is not None:
            state.history[-1]["rates"] = self.rates.means()
        improved = self._is_better(value, state.best_value)
        if improved:
            state.best_epoch, state.best_value = epoch + 1, value
        better = self._is_better(value, state.phase_best)
        state.phase_best = value if better else state.phase_best
        state.phase_stale = 0 if better else state.phase_stale + 1
        due = time.monotonic() - self._saved >= self.interval
        if improved or due:
            changed = {**self._below, **checkpoint.changed_weights(self.model, self.initial)}
        if improved:
            state.best_weights = changed
        if due:
            checkpoint.save(self.run, self.model.optimizer, changed, state)
            self._saved, self.saved_epochs = time.monotonic(), state.epoch
        logs["improved"] = improved
        if state.phase_over(self.patience) or state.run_over(self.total_patience):
            self.model.stop_training = True

    def _is_better(self, value: float, best: float | None) -> bool:
        return best is None or (value < best if self.monitor == "val_loss" else value > best)


class EpochReport(keras.callbacks.Callback):
    """Advance the progress bar after each batch, and write a line with the metrics after each epoch.

    The time left is that of all epochs of this fold and of the folds after it.

    Args:
        progress: The `Progress` of the training.
        epochs: Number of epochs of all phases.
        prefix: Beginning of each line, such as `fold 1/5  `.
        later_folds: Number of folds that are trained after this one.
    """

    def __init__(self, progress, epochs: int, prefix: str = "", later_folds: int = 0):
        super().__init__()
        self.progress, self.epochs, self.prefix, self.later_folds = progress, epochs, prefix, later_folds
        self._durations = []

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.monotonic()
        self.progress.describe(f"{self.prefix}epoch {epoch + 1}/{self.epochs}")

    def on_train_batch_end(self, batch, logs=None):
        self.progress.advance()

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.monotonic() - self._start
        self._durations.append(seconds)
        first, later = self._durations[0], self._durations[1:] or self._durations  # the first epoch also compiles
        each = sum(later) / len(later)
        left = (self.epochs - epoch - 1) * each + self.later_folds * (first + (self.epochs - 1) * each)
        mark = " *" if logs.get("improved") else ""
        self.progress.write_line(
            f"{self.prefix}epoch {epoch + 1}/{self.epochs}  loss {logs['loss']:.4f}  val_loss {logs['val_loss']:.4f}  "
            f"val_auc {logs['val_auc']:.4f}{mark}  {seconds:.1f} s  left {clock(left)}"
        )


class StopOnRequest(keras.callbacks.Callback):
    """End the training after the current batch if a signal has been received.

    Args:
        stop: The `StopRequest`.
        save: The `SaveCheckpoint`, for the number of saved epochs.
    """

    def __init__(self, stop, save):
        super().__init__()
        self.stop, self.save = stop, save
        self._epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        saved = self.save.saved_epochs
        self.stop.check(f"in epoch {self._epoch + 1}; {saved} epoch{' is' if saved == 1 else 's are'} saved")


class TensorBoardScalars(keras.callbacks.Callback):
    """Write the logs of each epoch as TensorBoard scalars.

    Args:
        folder: Folder of the event files.
    """

    def __init__(self, folder):
        super().__init__()
        self.folder = str(folder)

    def on_epoch_end(self, epoch, logs=None):
        import tensorflow as tf

        writer = tf.summary.create_file_writer(self.folder, filename_suffix=f".{epoch:04d}")
        with writer.as_default(step=epoch + 1):
            for name, value in logs.items():
                tf.summary.scalar(name, float(value))
        writer.close()
