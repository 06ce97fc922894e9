"""Estimates of a sweep: disk space and time before it starts, and the remaining time while it runs."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from keras_radtl.config import Config, UserError
from keras_radtl.sweeps.run_list import RunSpec, feature_key
from keras_radtl.sweeps.speed import Speed
from keras_radtl.training.plan import make_plan

_BYTES_PER_CASE = 200  # one row of a predictions file, approximately
_BACKBONE = 25_000_000  # parameters, approximately
_BACKWARD = 2.0  # time of a backward pass, relative to a forward pass


def disk_bytes(runs: Sequence[RunSpec], cases: int, save_models: bool) -> tuple[int, int]:
    """Estimate the disk space that runs need.

    Activations at a cut inside a backbone are not counted: their size is known only when the model is built, and the
    size of the store is limited.

    Args:
        runs: unfinished runs.
        cases: number of images of the dataset.
        save_models: whether every run keeps its model.
    Returns:
        Bytes of the stored activations of fully frozen backbones, and bytes of the run directories.
    """
    shared = {feature_key(run.config): run.config for run in runs if make_plan(run.config).frozen}
    features = sum(_feature_bytes(config, cases) for config in shared.values())
    folders = sum(
        4 * (_head_parameters(run.config) + _BACKBONE) * save_models + _BYTES_PER_CASE * cases for run in runs
    )
    return features, folders


def _widths(config: Config) -> int:
    return sum(branch.spec.features for branch in make_plan(config).branches)


def _feature_bytes(config: Config, cases: int) -> int:
    folds, passes = _passes(config)
    return int(4 * _widths(config) * folds * cases * (passes + 1))


def _head_parameters(config: Config) -> int:
    from keras_radtl.models.layers.head_sizes import head_parameters

    try:
        return head_parameters(config.model.head, _widths(config), num_classes=2)
    except UserError:  # a kernel for a flattened feature map, which has more features
        return 0


def run_seconds(runs: Sequence[RunSpec], cases: int, speed: Speed, reuse: bool, per_process: int) -> float:
    """Estimate the seconds that runs take one after the other.

    When the backbone is frozen, only the first run that needs its activations computes them. In other runs half of the
    backbone counts as trained.

    Args:
        runs: unfinished runs on one dataset, in order.
        cases: number of images of the dataset.
        speed: of this machine.
        reuse: whether runs share activations.
        per_process: number of runs per process.
    """
    total = speed.start * math.ceil(len(runs) / per_process)
    for run, kind in zip(runs, _kinds(runs), strict=True):
        folds, passes = _passes(run.config)
        steps = folds * passes * cases / run.config.training.batch_size
        total += folds * speed.of("build", run.config) + steps * speed.weight_step * _head_parameters(run.config)
        once = cases * folds * (passes + 1) * speed.of("image", run.config)  # the last pass: predictions
        if not make_plan(run.config).frozen:
            total += once * (1 + _BACKWARD / 2)
        elif kind == "first" or not reuse:
            total += once
    return total


def _passes(config: Config) -> tuple[int, float]:
    """Return the number of models of a run and how often each sees an image in training, on average over all images."""
    folds = config.split.folds
    share = 1 - 1 / folds if folds else config.split.train
    return folds or 1, share * make_plan(config).epochs


class TimeLeft:
    """Estimates the remaining time from finished runs, separately for first and later users of shared activations.

    Args:
        runs: unfinished runs, in order.

    Attributes:
        last: seconds that the last run took.
    """

    def __init__(self, runs: Sequence[RunSpec]):
        self._left = [(run.name, kind) for run, kind in zip(runs, _kinds(runs), strict=True)]
        self._seconds: dict[str, list[float]] = {"first": [], "later": []}
        self._since, self.last = time.monotonic(), 0.0

    def done(self, name: str) -> None:
        """Record that a run ended now."""
        kind, now = dict(self._left)[name], time.monotonic()
        self._left = [item for item in self._left if item[0] != name]
        self.last, self._since = now - self._since, now
        self._seconds[kind].append(self.last)

    def left(self) -> float:
        """Return the remaining seconds; a kind that was not measured yet counts as the other one."""
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
