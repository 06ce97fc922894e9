"""What a sweep will take: disk and time before it starts, and the time left as its runs are measured."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from keras_radtl.config import Config, UserError
from keras_radtl.sweeps.run_list import RunSpec, feature_key
from keras_radtl.sweeps.speed import Speed

_BYTES_PER_CASE = 200  # a row of a predictions file, about
_BACKBONE = 25_000_000  # parameters, about
_BACKWARD = 2.0  # a step's way back, in ways forward


def disk_bytes(runs: Sequence[RunSpec], cases: int, save_models: bool) -> tuple[int, int]:
    """Return about how many bytes runs leave: (stored activations of fully frozen backbones, run directories).

    Activations at a cut inside a backbone are not counted: their size is known when the model is built, and the store
    is bounded.

    Args:
        runs: runs to do.
        cases: images of a data set.
        save_models: whether every run keeps its model.
    """
    shared = {feature_key(run.config): run.config for run in runs if _frozen(run.config)}
    features = sum(_feature_bytes(config, cases) for config in shared.values())
    folders = sum(
        4 * (_head_parameters(run.config) + _BACKBONE) * save_models + _BYTES_PER_CASE * cases for run in runs
    )
    return features, folders


def _frozen(config: Config) -> bool:
    training = config.training
    return training.strategy == "lp" or (training.strategy == "fixed" and training.unfreeze == "none")


def _widths(config: Config) -> int:
    from keras_radtl.models.backbones.branches import branches

    return sum(branch.spec.features for branch in branches(config.model))


def _feature_bytes(config: Config, cases: int) -> int:
    folds, passes = _passes(config)
    return int(4 * _widths(config) * folds * cases * (passes + 1))


def _head_parameters(config: Config) -> int:
    from keras_radtl.models.layers.head_sizes import head_parameters

    try:
        return head_parameters(config.model.head, _widths(config), num_classes=2)
    except UserError:  # that run will fail, by name
        return 0


def run_seconds(runs: Sequence[RunSpec], cases: int, speed: Speed, reuse: bool, per_process: int) -> float:
    """Return about how many seconds runs will take, one after the other.

    Where everything is frozen, images pass the backbone for the first run that needs their activations; in other runs
    half of the backbone counts as trained.

    Args:
        runs: runs to do, in order, of one data set.
        cases: images of that data set.
        speed: measured here.
        reuse: whether activations are shared.
        per_process: runs by one process.
    """
    total = speed.start * math.ceil(len(runs) / per_process)
    for run, kind in zip(runs, _kinds(runs), strict=True):
        folds, passes = _passes(run.config)
        steps = folds * passes * cases / run.config.training.batch_size
        total += folds * speed.of("build", run.config) + steps * speed.weight_step * _head_parameters(run.config)
        once = cases * folds * (passes + 1) * speed.of("image", run.config)  # and predictions of all at the end
        if not _frozen(run.config):
            total += once * (1 + _BACKWARD / 2)
        elif kind == "first" or not reuse:
            total += once
    return total


def _passes(config: Config) -> tuple[int, float]:
    """Return models of a run, and times that each sees an image in training, on average over all images."""
    folds = config.split.folds
    share = 1 - 1 / folds if folds else config.split.train
    return folds or 1, share * (sum(config.training.phase_epochs) or config.training.epochs)


class TimeLeft:
    """Predicts the time left from the runs done, apart for first and later users of shared activations.

    Args:
        runs: what is left to do, in order.
    """

    def __init__(self, runs: Sequence[RunSpec]):
        self._left = [(run.name, kind) for run, kind in zip(runs, _kinds(runs), strict=True)]
        self._seconds: dict[str, list[float]] = {"first": [], "later": []}
        self._since, self.last = time.monotonic(), 0.0

    def done(self, name: str) -> None:
        """Note that a run ended now; `last` is the time since the one before it ended."""
        kind, now = dict(self._left)[name], time.monotonic()
        self._left = [item for item in self._left if item[0] != name]
        self.last, self._since = now - self._since, now
        self._seconds[kind].append(self.last)

    def left(self) -> float:
        """Return the seconds that the rest will take; a kind not yet measured counts like the other one."""
        means = {kind: sum(values) / len(values) for kind, values in self._seconds.items() if values}
        default = next(iter(means.values()), math.nan)
        return sum(means.get(kind, default) for _, kind in self._left)


def _kinds(runs: Sequence[RunSpec]) -> list[str]:
    seen: set[str] = set()
    kinds = []
    for run in runs:
        key = feature_key(run.config)
        kinds.append("later" if key in seen else "first")
        seen.add(key)
    return kinds
