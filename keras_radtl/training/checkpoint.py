"""Checkpoints: the state of a training after an epoch, from which the run resumes bit for bit.

A model is stored as its difference from the newly built model, which is determined by configuration, seed and weight
file, so that frozen layers need no disk space. The best weights are in a file named by their epoch. It is written
before the checkpoint that refers to it and removed after the next one, so that both always belong together.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from keras_radtl.config import UserError
from keras_radtl.runs.directory import CHECKPOINT, RunDirectory
from keras_radtl.runs.files import atomic

Weights = dict[str, np.ndarray]
Head = tuple[np.ndarray, np.ndarray, dict]  # kernel, bias and certificate
_INITIAL_HEAD = "initial_head.npz"
_PIECE = 1 << 20  # bytes


@dataclass
class TrainingState:
    """The state of a training.

    Attributes:
        epoch: Number of finished epochs of all phases.
        phase: Index of the current phase.
        phase_start: Number of finished epochs when the current phase began.
        phase_stale: Number of epochs since the best epoch of the phase.
        phase_best: Best monitored value of the phase; None before its first epoch ends.
        best_epoch: Epoch with the best monitored value of the run, counted from 1; 0 before the first epoch ends.
        best_value: Best monitored value of the run.
        jit_compile: Whether the training step of the last phase was compiled by XLA.
        history: One dict per epoch.
        best_weights: Changed weights of the best epoch, until they are written to a file.
    """

    epoch: int = 0
    phase: int = 0
    phase_start: int = 0
    phase_stale: int = 0
    phase_best: float | None = None
    best_epoch: int = 0
    best_value: float | None = None
    jit_compile: bool | None = None
    history: list[dict] = field(default_factory=list)
    best_weights: Weights | None = field(default=None, repr=False)

    def phase_over(self, patience: int | None) -> bool:
        """Return whether the phase has had `patience` epochs without improvement; None: never."""
        return patience is not None and self.phase_stale >= patience

    def run_over(self, patience: int | None) -> bool:
        """Return whether the run has had `patience` epochs without improvement; None: never."""
        return patience is not None and self.epoch - self.best_epoch >= patience


def read_weights(model) -> Weights:
    """Return the current weights of a Keras model by variable path; read-only.

    On a CPU they are not copied: TensorFlow allocates a new buffer before it changes a variable whose buffer is in use.
    """
    return {variable.path: np.asarray(variable.value.read_value()) for variable in model.weights}


def changed_weights(model, initial: Weights) -> Weights:
    """Return the weights whose bits differ from `initial`; read-only."""
    return {path: value for path, value in read_weights(model).items() if not _equal_bits(value, initial[path])}


def _equal_bits(array: np.ndarray, other: np.ndarray) -> bool:
    """Compare in pieces, since trained weights usually differ in the first piece."""
    a, b = (np.ascontiguousarray(x).reshape(-1).view(np.uint8) for x in (array, other))
    return len(a) == len(b) and all(
        np.array_equal(a[i : i + _PIECE], b[i : i + _PIECE]) for i in range(0, len(a), _PIECE)
    )


def assign_weights(model, initial: Weights, changed: Weights) -> None:
    """Set the weights of a model to those in `changed`, and the others to `initial`.

    Raises:
        UserError: If `changed` has weights that the model lacks, or of another shape; no weight is changed then.
    """
    wrong = [path for path, value in changed.items() if path not in initial or initial[path].shape != value.shape]
    if wrong:
        raise UserError(f"The checkpoint has weights of another model ({wrong[0]}); `overwrite=True` starts over")
    for variable in model.weights:
        variable.assign(changed.get(variable.path, initial[variable.path]))


def best_name(epoch: int) -> str:
    """Return the file name of the best weights if `epoch` is the best epoch."""
    return f"best_{epoch:04d}.npz"


def save(run: RunDirectory, optimizer, changed: Weights, state: TrainingState) -> None:
    """Write a checkpoint, and the best weights if they are not yet in a file.

    Args:
        run: The run directory.
        optimizer: Built optimizer.
        changed: Current `changed_weights` of the model.
        state: The training state; `best_weights` is set to None after they have been written.
    """
    if state.best_weights is not None:
        best = {f"weight/{path}": value for path, value in state.best_weights.items()}
        _write(run / best_name(state.best_epoch), {**best, "epoch": np.array(state.best_epoch)})
        state.best_weights = None
    arrays = {f"weight/{path}": value for path, value in changed.items()}
    arrays |= {f"optimizer/{i:05d}": np.asarray(v) for i, v in enumerate(optimizer.variables)}
    arrays["state"] = np.frombuffer(json.dumps(_plain(state)).encode(), dtype=np.uint8)
    _write(run / CHECKPOINT, arrays)
    for old in run.path.glob("best_*.npz"):
        if old.name != best_name(state.best_epoch):
            old.unlink()


def load(run: RunDirectory) -> tuple[TrainingState, Weights, list[np.ndarray]] | None:
    """Return state, changed weights and optimizer variables of the last checkpoint; None if there is no checkpoint.

    Raises:
        UserError: If the file, or that of the best weights, is damaged; the message names it.
    """
    file = run / CHECKPOINT
    if not os.path.lexists(file):
        return None
    with _reading(file) as arrays:
        state = TrainingState(**json.loads(arrays["state"].tobytes()))
        _check_state(state)
        optimizer = [arrays[name] for name in sorted(arrays.files) if name.startswith("optimizer/")]
        changed = _weights(arrays)
    load_best(run, state)  # a damaged file is found now, not after the last epoch
    return state, changed, optimizer


def load_best(run: RunDirectory, state: TrainingState) -> Weights:
    """Return the changed weights of the best epoch.

    Raises:
        UserError: If their file is missing or damaged; the message names it.
    """
    if state.best_weights is not None:
        return state.best_weights
    with _reading(run / best_name(state.best_epoch)) as arrays:
        if int(arrays["epoch"]) != state.best_epoch:
            raise ValueError("it has the weights of another epoch")
        return _weights(arrays)


def save_head(run: RunDirectory, kernel: np.ndarray, bias: np.ndarray, certificate: dict) -> None:
    """Write the head from which a training starts.

    Args:
        run: The run directory.
        kernel: float32 array of shape (n_features, n_classes).
        bias: float32 array of shape (n_classes,).
        certificate: JSON-able values about the head.
    """
    text = np.frombuffer(json.dumps(certificate).encode(), dtype=np.uint8)
    _write(run / _INITIAL_HEAD, {"kernel": kernel, "bias": bias, "certificate": text})


def load_head(run: RunDirectory) -> Head | None:
    """Return what `save_head` wrote; None if there is no file.

    Raises:
        UserError: If the file is damaged; the message names it.
    """
    file = run / _INITIAL_HEAD
    if not os.path.lexists(file):
        return None
    with _reading(file) as arrays:
        return arrays["kernel"], arrays["bias"], json.loads(arrays["certificate"].tobytes())


@contextlib.contextmanager
def _reading(file: Path) -> Iterator[np.lib.npyio.NpzFile]:
    """Open an archive of arrays; whatever damaged it becomes one line."""
    try:
        if not file.is_file():
            raise ValueError("it is missing" if not os.path.lexists(file) else "it is not a file")
        with open(file, "rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            yield arrays
    except Exception as error:  # of NumPy, the archive or JSON, whatever the content of the file
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{file} is damaged: {reason[:120]}; `overwrite=True` starts over") from None


def _check_state(state: TrainingState) -> None:
    numbers = (state.epoch, state.phase, state.phase_start, state.phase_stale, state.best_epoch)
    known = isinstance(state.history, list) and all(isinstance(row, dict) for row in state.history)
    if not known or not all(type(value) is int and value >= 0 for value in numbers):
        raise ValueError("its state has values of a wrong type")
    if (
        state.epoch != len(state.history)
        or not state.phase_start <= state.epoch
        or not 0 < state.best_epoch <= state.epoch
    ):
        raise ValueError("its state contradicts its history")


def assign_optimizer(optimizer, values: list[np.ndarray]) -> None:
    """Set all variables of a built optimizer.

    Raises:
        UserError: If their shapes differ; no variable is changed then.
    """
    if [tuple(v.shape) for v in optimizer.variables] != [v.shape for v in values]:
        raise UserError("The checkpoint has the optimizer state of another configuration; `overwrite=True` starts over")
    for variable, value in zip(optimizer.variables, values, strict=True):
        variable.assign(value)


def remove(run: RunDirectory) -> None:
    """Remove the checkpoint, the best weights and the initial head of a finished run."""
    for file in [run / CHECKPOINT, run / _INITIAL_HEAD, *run.path.glob("best_*.npz")]:
        file.unlink(missing_ok=True)


def _plain(state: TrainingState) -> dict:
    values = asdict(replace(state, best_weights=None))
    del values["best_weights"]
    return values


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with atomic(path) as temporary:
        np.savez(temporary, **arrays)


def _weights(file) -> Weights:
    return {name.removeprefix("weight/"): file[name] for name in file.files if name.startswith("weight/")}
