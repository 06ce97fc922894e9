"""What a sweep will take: disk before it starts, time as soon as the first runs are measured."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from keras_radtl.config import Config, UserError
from keras_radtl.search.grid import Run, feature_key

_BYTES_PER_CASE = 200  # a row of a predictions file, about


def disk_bytes(runs: Sequence[Run], cases: int, save_models: bool) -> tuple[int, int]:
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
    folders = sum(4 * _parameters(run.config) * save_models + _BYTES_PER_CASE * cases for run in runs)
    return features, folders


def _frozen(config: Config) -> bool:
    return config.training.strategy in ("lp", "fixed") and config.training.unfreeze == "none"


def _widths(config: Config) -> int:
    from keras_radtl.models.branches import branches

    return sum(branch.spec.features for branch in branches(config.model))


def _feature_bytes(config: Config, cases: int) -> int:
    share = 1 - 1 / config.split.folds if config.split.folds else config.split.train
    folds = config.split.folds or 1
    return int(4 * _widths(config) * folds * cases * (share * config.training.epochs + 1))


def _parameters(config: Config) -> int:
    from keras_radtl.models.head_sizes import head_parameters

    try:
        return head_parameters(config.model.head, _widths(config), num_classes=2) + 25_000_000  # a backbone, about
    except UserError:  # that run will fail, by name
        return 0


class Clock:
    """Predicts the time left from the runs done, apart for first and later users of shared activations.

    Args:
        runs: what is left to do, in order.
    """

    def __init__(self, runs: Sequence[Run]):
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


def _kinds(runs: Sequence[Run]) -> list[str]:
    seen: set[str] = set()
    kinds = []
    for run in runs:
        key = feature_key(run.config)
        kinds.append("later" if key in seen else "first")
        seen.add(key)
    return kinds
