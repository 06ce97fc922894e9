"""State of a training after an epoch: one file that is whole or absent, from which the run goes on bit for bit.

A model is stored as its difference to the freshly built one, which (configuration, seed, weight file) give again: what
is frozen costs nothing. The best weights are in a file named by their epoch, written before the checkpoint that names
it and removed after the next one, so that no pair of files can be of different epochs.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from keras_radtl.config import UserError
from keras_radtl.runs.directory import CHECKPOINT, RunDirectory
from keras_radtl.runs.files import atomic

Weights = dict[str, np.ndarray]
_PIECE = 1 << 20  # bytes


@dataclass
class TrainingState:
    """How far a training came.

    Attributes:
        epoch: finished epochs over all phases.
        phase: index of the current phase.
        phase_start: epoch at which it began; an early stop makes this earlier than planned.
        phase_stale: epochs since the phase's best one by the monitored value.
        phase_best: that value; None before the first epoch of the phase.
        best_epoch: epoch (1-based) with the best monitored value of the run; 0 before the first.
        best_value: that value.
        jit_compile: whether XLA compiled the training step of the last phase.
        history: one dict an epoch.
        best_weights: changed weights of the best epoch while no file holds them.
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
        """Return whether the phase had `patience` epochs without a better one of its own; None: never."""
        return patience is not None and self.phase_stale >= patience

    def run_over(self, patience: int | None) -> bool:
        """Return whether the run had `patience` epochs without a better one; None: never."""
        return patience is not None and self.epoch - self.best_epoch >= patience


def read_weights(model) -> Weights:
    """Return all weights of a Keras model by variable path, as they are now; read-only.

    Nothing is copied on a processor: TensorFlow gives a variable a new buffer before it changes one that is held.
    """
    return {variable.path: np.asarray(variable.value.read_value()) for variable in model.weights}


def changed_weights(model, initial: Weights) -> Weights:
    """Return the weights whose bits differ from `initial`; read-only."""
    return {path: value for path, value in read_weights(model).items() if not _equal_bits(value, initial[path])}


def _equal_bits(array: np.ndarray, other: np.ndarray) -> bool:
    """Compare piece by piece: weights that trained differ in the first one."""
    a, b = (np.ascontiguousarray(x).reshape(-1).view(np.uint8) for x in (array, other))
    return len(a) == len(b) and all(
        np.array_equal(a[i : i + _PIECE], b[i : i + _PIECE]) for i in range(0, len(a), _PIECE)
    )


def assign_weights(model, initial: Weights, changed: Weights) -> None:
    """Set a model to `initial` with `changed` in place."""
    for variable in model.weights:
        variable.assign(changed.get(variable.path, initial[variable.path]))


def best_name(epoch: int) -> str:
    """Return the file name of the best weights, which are those of `epoch`."""
    return f"best_{epoch:04d}.npz"


def save(run: RunDirectory, optimizer, changed: Weights, state: TrainingState) -> None:
    """Write the state after an epoch, and the best weights when no file holds them yet.

    Args:
        run: where.
        optimizer: built optimizer.
        changed: `changed_weights` of the model as it is now.
        state: its `best_weights` are given up once they are in their file.
    """
    if state.best_weights is not None:
        _write(
            run / best_name(state.best_epoch), {f"weight/{path}": value for path, value in state.best_weights.items()}
        )
        state.best_weights = None
    arrays = {f"weight/{path}": value for path, value in changed.items()}
    arrays |= {f"optimizer/{i:05d}": np.asarray(v) for i, v in enumerate(optimizer.variables)}
    arrays["state"] = np.frombuffer(json.dumps(_plain(state)).encode(), dtype=np.uint8)
    _write(run / CHECKPOINT, arrays)
    for old in run.path.glob("best_*.npz"):
        if old.name != best_name(state.best_epoch):
            old.unlink()


def load(run: RunDirectory) -> tuple[TrainingState, Weights, list[np.ndarray]] | None:
    """Read the last checkpoint: state, changed weights, optimizer variables; None when there is none."""
    if not (run / CHECKPOINT).is_file():
        return None
    with np.load(run / CHECKPOINT, allow_pickle=False) as file:
        state = TrainingState(**json.loads(file["state"].tobytes()))
        optimizer = [file[name] for name in sorted(file.files) if name.startswith("optimizer/")]
        return state, _weights(file), optimizer


def load_best(run: RunDirectory, state: TrainingState) -> Weights:
    """Return the changed weights of the best epoch."""
    if state.best_weights is not None:
        return state.best_weights
    with np.load(run / best_name(state.best_epoch), allow_pickle=False) as file:
        return _weights(file)


def assign_optimizer(optimizer, values: list[np.ndarray]) -> None:
    """Set all variables of a built optimizer.

    Raises:
        UserError: when they do not fit, so that a run never goes on with half of its state.
    """
    if [tuple(v.shape) for v in optimizer.variables] != [v.shape for v in values]:
        raise UserError("The checkpoint has the optimizer state of another configuration; `overwrite=True` starts over")
    for variable, value in zip(optimizer.variables, values, strict=True):
        variable.assign(value)


def remove(run: RunDirectory) -> None:
    """Remove checkpoint and best weights, once the model itself is saved."""
    for file in [run / CHECKPOINT, *run.path.glob("best_*.npz")]:
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
