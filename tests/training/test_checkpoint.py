"""Checkpoints: atomic, only changed weights, matching best weights, complete optimizer state."""

from __future__ import annotations

import errno
import os

import keras
import numpy as np
import pytest

from keras_radtl.config import UserError
from keras_radtl.runs import directory
from keras_radtl.runs.directory import RunDirectory
from keras_radtl.training import checkpoint
from keras_radtl.training.checkpoint import TrainingState


@pytest.fixture
def model():
    """Return a compiled model of two layers, of which the first is frozen."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,))
    body = keras.layers.Dense(4, name="body", trainable=False)(inputs)
    made = keras.Model(inputs, keras.layers.Dense(2, name="head")(body))
    made.compile(keras.optimizers.Adam(0.1), "mse")
    made.optimizer.build(made.trainable_variables)
    return made


@pytest.fixture
def run(tmp_path):
    return RunDirectory(tmp_path)


def train(model):
    model.train_on_batch(np.ones((2, 3), "float32"), np.zeros((2, 2), "float32"))


def epoch(run, model, initial, state, value):
    """Train and save as one epoch with this validation AUC."""
    train(model)
    state.epoch += 1
    improved = state.best_value is None or value > state.best_value
    if improved:
        state.best_epoch, state.best_value = state.epoch, value
        state.best_weights = checkpoint.read_weights(model)
    state.history.append({"epoch": state.epoch, "val_auc": value})
    checkpoint.save(run, model.optimizer, checkpoint.changed_weights(model, initial), state)


def test_checkpoint_restores_the_state(run, model):
    initial, state = checkpoint.read_weights(model), TrainingState()
    epoch(run, model, initial, state, 0.5)
    saved = {path: value.copy() for path, value in checkpoint.read_weights(model).items()}
    slots = [np.asarray(variable).copy() for variable in model.optimizer.variables]
    train(model)
    again, changed, optimizer = checkpoint.load(run)
    checkpoint.assign_weights(model, initial, changed)
    checkpoint.assign_optimizer(model.optimizer, optimizer)
    assert again == state
    assert all(np.array_equal(value, saved[path]) for path, value in checkpoint.read_weights(model).items())
    assert all(np.array_equal(a, b) for a, b in zip(model.optimizer.variables, slots, strict=True))
    assert int(model.optimizer.iterations) == 1


def test_only_changed_weights_are_stored(run, model):
    initial = checkpoint.read_weights(model)
    epoch(run, model, initial, TrainingState(), 0.5)
    assert sorted(checkpoint.load(run)[1]) == ["head/bias", "head/kernel"]


def test_read_weights_are_copies(model):
    before = checkpoint.read_weights(model)
    kept = {path: value.copy() for path, value in before.items()}
    train(model)
    assert all(np.array_equal(before[path], kept[path]) for path in before)


def test_equal_nan_weights_are_not_changed(model):
    model.get_layer("body").bias.assign([np.nan] * 4)
    initial = checkpoint.read_weights(model)
    assert checkpoint.changed_weights(model, initial) == {}


def test_load_without_checkpoint_is_none(run):
    assert checkpoint.load(run) is None


def test_only_the_best_weights_are_kept(run, model):
    initial, state, heads = checkpoint.read_weights(model), TrainingState(), []
    for value in (0.5, 0.8, 0.7, 0.8):
        epoch(run, model, initial, state, value)
        heads.append(model.get_layer("head").kernel.numpy().copy())
        assert [file.name for file in run.path.glob("best_*")] == [checkpoint.best_name(state.best_epoch)]
    assert state.best_epoch == 2
    assert np.array_equal(checkpoint.load_best(run, state)["head/kernel"], heads[1])


def test_optimizer_state_of_other_shapes_is_an_error(run, model):
    initial = checkpoint.read_weights(model)
    epoch(run, model, initial, TrainingState(), 0.5)
    values = checkpoint.load(run)[2]
    model.get_layer("body").trainable = True
    model.compile(keras.optimizers.Adam(0.1), "mse")
    model.optimizer.build(model.trainable_variables)
    with pytest.raises(UserError, match="optimizer state of another configuration"):
        checkpoint.assign_optimizer(model.optimizer, values)
    assert all(not np.any(variable) for variable in model.optimizer.variables[2:])


@pytest.mark.parametrize("what", ["fsync", "replace", "savez"])
@pytest.mark.parametrize("failing", [1, 2, 3, 4])
def test_disk_error_keeps_a_consistent_checkpoint(run, model, monkeypatch, what, failing):
    """Raise a disk error at the k-th operation while a better epoch is saved; either epoch is complete afterwards."""
    initial, state = checkpoint.read_weights(model), TrainingState()
    epoch(run, model, initial, state, 0.5)
    owner = np if what == "savez" else directory.os
    real, count = getattr(owner, what), 0

    def call(*arguments, **options):
        nonlocal count
        count += 1
        if count == failing:
            if what == "savez":
                arguments[0].write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(owner, what, call)
        try:
            epoch(run, model, initial, state, 0.9)
        except OSError:
            assert count == failing
        else:
            assert count < failing
    found, changed, _ = checkpoint.load(run)
    best = checkpoint.load_best(run, found)
    assert found.epoch in (1, 2) and found.best_epoch == found.epoch == len(found.history)
    assert all(np.array_equal(best[path], changed[path]) for path in changed)
    assert not list(run.path.glob(".tmp-*"))


def test_best_weights_are_written_with_the_next_checkpoint(run, model):
    initial, state = checkpoint.read_weights(model), TrainingState(epoch=1, best_epoch=1, best_value=0.5)
    state.best_weights = waiting = {"head/bias": np.array([1.0, 2.0])}
    assert checkpoint.load_best(run, state) is waiting
    state.epoch, state.history = 2, [{"epoch": 1}, {"epoch": 2}]
    checkpoint.save(run, model.optimizer, checkpoint.changed_weights(model, initial), state)
    assert state.best_weights is None
    assert np.array_equal(checkpoint.load_best(run, checkpoint.load(run)[0])["head/bias"], [1.0, 2.0])


def test_remove(run, model):
    epoch(run, model, checkpoint.read_weights(model), TrainingState(), 0.5)
    (run / "model.keras").write_text("x")
    checkpoint.remove(run)
    checkpoint.remove(run)
    assert [file.name for file in run.path.iterdir()] == ["model.keras"]


DAMAGES = {
    "empty": lambda content: b"",
    "truncated": lambda content: content[: len(content) // 2],
    "a byte flipped": lambda content: content[:200] + bytes([content[200] ^ 255]) + content[201:],
    "an archive of nothing": lambda content: b"PK\5\6" + bytes(18),
    "text": lambda content: b"text",
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["checkpoint.npz", "best_0001.npz"])
def test_damaged_files_are_named_when_the_run_resumes(run, model, damage, name):
    epoch(run, model, checkpoint.read_weights(model), TrainingState(), 0.5)
    (run / name).write_bytes(DAMAGES[damage]((run / name).read_bytes()))
    with pytest.raises(UserError, match=f"{name} is damaged: .*`overwrite=True` starts over"):
        checkpoint.load(run)


def test_best_weights_of_another_epoch_are_refused(run, model):
    initial, state = checkpoint.read_weights(model), TrainingState()
    epoch(run, model, initial, state, 0.5)
    first = (run / "best_0001.npz").read_bytes()
    epoch(run, model, initial, state, 0.9)
    (run / "best_0002.npz").write_bytes(first)
    with pytest.raises(UserError, match=r"best_0002\.npz is damaged: it has the weights of another epoch"):
        checkpoint.load(run)


def test_weights_of_another_model_are_refused_and_change_nothing(model):
    initial = checkpoint.read_weights(model)
    for changed in ({"nope": np.zeros(3)}, {"head/bias": np.zeros(3)}):
        with pytest.raises(UserError, match="weights of another model"):
            checkpoint.assign_weights(model, initial, changed)
    assert checkpoint.changed_weights(model, initial) == {}
