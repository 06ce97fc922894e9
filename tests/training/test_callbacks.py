"""The Keras callbacks of a training."""

from __future__ import annotations

import logging
import math
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_radtl.config import UserError
from keras_radtl.runs.directory import RunDirectory
from keras_radtl.runs.interrupt import Stopped, StopRequest
from keras_radtl.training import callbacks, checkpoint
from keras_radtl.training.callbacks import (
    EpochReport,
    LearningRateSchedule,
    LogPenalty,
    ResetDropoutSeeds,
    SaveCheckpoint,
    StopOnRequest,
    TensorBoardScalars,
    Validation,
)


@pytest.fixture
def model():
    """Return a compiled model with dropout."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,))
    x = keras.layers.Dropout(0.5, name="drop")(inputs)
    made = keras.Model(inputs, keras.layers.Dense(2, name="head")(x))
    made.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    made.optimizer.build(made.trainable_variables)
    return made


def test_dropout_depends_only_on_seed_and_epoch(model):
    def dropped(seed, epoch):
        reseed = ResetDropoutSeeds(seed)
        reseed.set_model(model)
        reseed.on_epoch_begin(epoch)
        return [model.get_layer("drop")(np.ones((1, 64), "float32"), training=True).numpy().tobytes() for _ in range(2)]

    assert dropped(0, 3) == dropped(0, 3)
    assert len({*dropped(0, 3), *dropped(0, 4), *dropped(1, 3)}) == 6


def test_learning_rate_of_an_epoch_is_set_and_logged(model):
    rate, logs = LearningRateSchedule(lambda epoch: 0.5 / (epoch + 1)), {}
    rate.set_model(model)
    rate.on_epoch_begin(1)
    rate.on_epoch_end(1, logs)
    assert float(model.optimizer.learning_rate) == 0.25 == logs["learning_rate"]


def test_penalty_is_logged(model):
    penalty, logs = LogPenalty(), {}
    penalty.set_model(model)
    penalty.on_epoch_end(0, logs)
    assert logs == {}
    model.get_layer("head").kernel.regularizer = keras.regularizers.L2(2.0)
    penalty.on_epoch_end(0, logs)
    assert logs["penalty"] == pytest.approx(
        2 * (model.get_layer("head").kernel.numpy().astype(float) ** 2).sum(), rel=1e-6
    )


LOGITS = np.array([[2.0, 0.0], [0.0, 1.0], [1.0, 0.5], [0.0, 3.0]])
TARGETS = np.array([0, 1, 1, 1])


def validate(logits, targets, loss=0.5, multilabel=False, score=lambda t, p: 0.75, prefix=""):
    logs = {"loss": loss}
    Validation(lambda: np.asarray(logits, np.float32), targets, score, multilabel, 0.0, prefix).on_epoch_end(4, logs)
    return logs


def test_validation_adds_loss_auc_and_accuracy():
    logs = validate(LOGITS, TARGETS)
    probabilities = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    assert logs["val_loss"] == pytest.approx(-np.log(probabilities[np.arange(4), TARGETS]).mean())
    assert (logs["val_auc"], logs["val_accuracy"]) == (0.75, 0.75)


def test_multi_label_validation_ignores_unknown_labels():
    labels = np.array([[1, 0], [np.nan, 1], [1, 1], [np.nan, np.nan]])
    assert validate([[1, 1], [1, 1], [-1, 1], [1, 1]], labels, multilabel=True)["val_accuracy"] == pytest.approx(3 / 5)


def test_single_predicted_class_is_a_warning(caplog):
    validate(LOGITS, TARGETS)
    assert not caplog.messages
    validate([[1, 0]] * 4, TARGETS, prefix="fold 2/3  ")
    assert caplog.messages == [
        "fold 2/3  epoch 5: all validation cases are predicted as one class; try another learning rate or more epochs"
    ]


@pytest.mark.parametrize(
    ("logits", "loss", "score", "message"),
    [
        (LOGITS, math.nan, 0.5, "training loss is not finite in epoch 5"),
        (LOGITS, math.inf, 0.5, "training loss is not finite in epoch 5"),
        (LOGITS * np.nan, 0.5, 0.5, "validation logits are not finite in epoch 5"),
        (LOGITS, 0.5, math.nan, "validation AUC is undefined"),
    ],
)
def test_values_that_are_not_finite_are_an_error(logits, loss, score, message):
    with pytest.raises(UserError, match=message):
        validate(logits, TARGETS, loss, score=lambda *_: score)


def make_saver(model, folder, monitor="val_auc", patience=None, interval=0.0):
    state = checkpoint.TrainingState()
    made = SaveCheckpoint(
        RunDirectory(folder),
        model,
        checkpoint.read_weights(model),
        state,
        "all",
        monitor,
        patience,
        None,
        None,
        interval,
    )
    made.set_model(model)
    made.on_train_begin()
    return made, state


def run_epochs(saver, values, monitor="val_auc"):
    for epoch, value in enumerate(values):
        saver.model.get_layer("head").bias.assign([epoch + 1.0, 0.0])
        logs = {"loss": 1.0, monitor: value}
        saver.on_epoch_begin(epoch)
        saver.on_epoch_end(epoch, logs)
    return logs


@pytest.mark.parametrize(("monitor", "best"), [("val_auc", 3), ("val_loss", 2)])
def test_best_epoch_is_the_first_with_the_best_value(model, tmp_path, monitor, best):
    saver, state = make_saver(model, tmp_path, monitor)
    logs = run_epochs(saver, [0.5, 0.4, 0.9, 0.9], monitor)
    assert state.best_epoch == best and not logs["improved"]
    assert np.array_equal(checkpoint.load_best(saver.run, state)["head/bias"], [best, 0.0])
    saved = checkpoint.load(saver.run)[0]
    assert saved == state and [row["epoch"] for row in saved.history] == [1, 2, 3, 4]


def test_changes_of_earlier_phases_are_saved(tmp_path):
    inputs = keras.Input((4,))
    middle = keras.layers.Dense(3, name="below")(inputs)
    whole = keras.Model(inputs, keras.layers.Dense(2, name="head")(middle))
    upper = keras.Model(middle, whole.output)
    upper.compile("sgd", "mse")
    upper.optimizer.build(upper.trainable_variables)
    initial = {path: value.copy() for path, value in checkpoint.read_weights(whole).items()}
    whole.get_layer("below").bias.assign([1.0, 2.0, 3.0])
    state = checkpoint.TrainingState()
    saver = SaveCheckpoint(
        RunDirectory(tmp_path), whole, initial, state, "classifier", "val_auc", None, None, None, 0.0
    )
    saver.set_model(upper)
    saver.on_train_begin()
    run_epochs(saver, [0.5])
    changed = checkpoint.load_best(saver.run, state)
    assert set(changed) == {"below/bias", "head/bias"} and np.array_equal(changed["below/bias"], [1.0, 2.0, 3.0])


def test_patience_counts_epochs_without_improvement(model, tmp_path):
    saver, state = make_saver(model, tmp_path, patience=2)
    model.stop_training = False
    run_epochs(saver, [0.5, 0.6, 0.6])
    assert not model.stop_training and state.phase_stale == 1
    saver.on_epoch_end(3, {"loss": 1.0, "val_auc": 0.1})
    assert model.stop_training


def test_interval_between_checkpoints(model, tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: now[0])
    saver, state = make_saver(model, tmp_path, interval=10.0)
    run_epochs(saver, [0.5, 0.6])
    assert checkpoint.load(saver.run) is None and state.best_weights is not None
    now[0] = 11.0
    saver.on_epoch_end(2, {"loss": 1.0, "val_auc": 0.1})
    assert checkpoint.load(saver.run)[0].epoch == 3 and state.best_weights is None
    assert np.array_equal(checkpoint.load_best(saver.run, state)["head/bias"], [2.0, 0.0])


def test_line_per_epoch_with_the_remaining_time(monkeypatch):
    now, lines = [0.0], []
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: now[0])
    progress = SimpleNamespace(describe=lambda text: None, advance=lambda: None, write_line=lines.append)
    report = EpochReport(progress, 4, "fold 1/5  ")
    for epoch, seconds in enumerate((60.0, 10.0, 20.0)):  # the first one also compiles
        report.on_epoch_begin(epoch)
        now[0] += seconds
        report.on_epoch_end(epoch, {"loss": 0.5, "val_loss": 0.25, "val_auc": 0.75, "improved": epoch == 1})
    assert lines[1] == "fold 1/5  epoch 2/4  loss 0.5000  val_loss 0.2500  val_auc 0.7500 *  10.0 s  left 0:20"
    assert lines[2].endswith("20.0 s  left 0:15") and " *" not in lines[2]


def test_remaining_time_includes_later_folds(monkeypatch):
    now, lines = [0.0], []
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: now[0])
    report = EpochReport(SimpleNamespace(describe=lambda text: None, write_line=lines.append), 4, later_folds=2)
    for epoch, seconds in enumerate((60.0, 10.0, 20.0)):
        report.on_epoch_begin(epoch)
        now[0] += seconds
        report.on_epoch_end(epoch, {"loss": 0.5, "val_loss": 0.25, "val_auc": 0.75})
    assert lines[2].endswith("left 3:45")  # 15 s, and 60 + 3 * 15 s of two folds


def test_signal_stops_after_the_batch():
    stop = StopRequest()
    callback = StopOnRequest(stop, SimpleNamespace(saved_epochs=1))
    callback.on_epoch_begin(2)
    callback.on_train_batch_end(0)
    stop.code = 143
    with pytest.raises(Stopped, match="^stopped in epoch 3; 1 epoch is saved; run the same command to resume") as error:
        callback.on_train_batch_end(1)
    assert error.value.code == 143


def test_tensorboard_reads_the_scalars(tmp_path, caplog):
    import tensorflow as tf

    caplog.set_level(logging.ERROR)
    for epoch in range(2):
        TensorBoardScalars(tmp_path).on_epoch_end(epoch, {"loss": 0.5 + epoch, "improved": True})
    events = [e for file in sorted(tmp_path.iterdir()) for e in tf.compat.v1.train.summary_iterator(str(file))]
    values = {(e.step, v.tag): float(tf.make_ndarray(v.tensor)) for e in events for v in e.summary.value}
    assert values == {(1, "loss"): 0.5, (1, "improved"): 1.0, (2, "loss"): 1.5, (2, "improved"): 1.0}
