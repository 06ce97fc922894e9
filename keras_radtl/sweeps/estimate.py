"""Estimates of a sweep: disk space and time before it starts, and the remaining time while it runs."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from keras_radtl.config import Config, UserError
from keras_radtl.models.backbones.branches import group_names
from keras_radtl.strategies.table import PhaseOutline
from keras_radtl.sweeps.run_list import RunSpec, cut_batches, feature_key
from keras_radtl.sweeps.speed import Speed
from keras_radtl.training.plan import Plan, make_plan

_BYTES_PER_CASE = 200  # one row of a predictions file, approximately
_BACKBONE = 25_000_000  # parameters, approximately
_FILES = 0.3  # seconds for the metrics and files of a model, measured on 2 cores
_FIGURES = 6.0  # seconds for the figures of a model, measured on 2 cores
_LAYERS = 100  # layers of a backbone, approximately
_STAGES = 3.5  # features of all stages, as a multiple of those of the last one (EfficientNet-Lite 3.3, ResNet50 3.8)
_SOLVE = 1e-9  # seconds of an exact fit per row and square of the number of features, measured on one core


def disk_bytes(runs: Sequence[RunSpec], cases: int, save_models: bool) -> tuple[int, int]:
    """Estimate the disk space that runs need.

    Activations at a cut inside a backbone are not counted: their size is known only when the model is built, and the
    size of the store is limited.

    Args:
        runs: Unfinished runs.
        cases: Number of images of the dataset.
        save_models: Whether every run keeps its model.
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
    width = sum(branch.spec.features for branch in make_plan(config).branches)
    return round(width * _STAGES) if config.model.head.pooling == "stages" else width


def _feature_bytes(config: Config, cases: int) -> int:
    plan = make_plan(config)
    if plan.strategy.solver is not None:
        return 4 * _widths(config) * cases * _views(plan)
    folds, passes = _passes(config)
    return int(4 * _widths(config) * folds * cases * (passes + 1))


def _views(plan: Plan) -> int:
    """Return the number of views of each image whose features an exact fit needs; all folds share them."""
    copies = plan.training.views - 1 if plan.augment.active else 0
    return copies + len(plan.views)


def _head_parameters(config: Config) -> int:
    from keras_radtl.models.layers.head_sizes import head_parameters

    try:
        return head_parameters(config.model.head, _widths(config), num_classes=2)
    except UserError:  # a kernel for a flattened feature map, which has more features
        return 0


def run_seconds(
    runs: Sequence[RunSpec], cases: int, speed: Speed, reuse: bool, per_process: int, figures: bool = False
) -> float:
    """Estimate the seconds that runs take one after the other.

    The estimate consists of the start of processes, the decoding of the images, and for each model: building, tracing
    and training in each phase, validation, predictions of all cases, and files. Only the first run that needs certain
    activations of frozen layers computes them.

    Args:
        runs: Unfinished runs on one dataset, in order.
        cases: Number of images of the dataset.
        speed: Speed of this machine.
        reuse: Whether runs share activations.
        per_process: Number of runs per process.
        figures: Whether the figures of every run are drawn.
    """
    kinds, total = _kinds(runs), -speed.start * speed.running
    for start, count in cut_batches(runs, per_process):
        total += speed.start
        loaded = None
        for run, kind in list(zip(runs, kinds, strict=True))[start : start + count]:
            plan = make_plan(run.config)
            if plan.data_key != loaded:
                total += cases * speed.of_data(plan)
                loaded = plan.data_key
            total += _model_seconds(plan, run.config, cases, speed, stored=reuse and kind == "later", reuse=reuse)
            total += figures * _FIGURES * (plan.split.folds or 1)
    return total


def _model_seconds(plan: Plan, config: Config, cases: int, speed: Speed, stored: bool, reuse: bool) -> float:
    """Return the seconds to build, train and test the models of all folds of a run.

    Args:
        plan: Plan of the run.
        config: Its configuration.
        cases: Number of images.
        speed: Speed of this machine.
        stored: Whether an earlier run has computed the activations of the frozen layers.
        reuse: Whether activations are stored at all.
    """
    if plan.strategy.solver is not None:
        return _exact_seconds(plan, config, cases, speed, stored, reuse)
    folds, share = config.split.folds or 1, _training_share(config)
    training = share * cases
    validation = training * config.split.val / config.split.train
    image, trace = speed.of("image", plan), speed.of("trace", plan)
    reusable = reuse and plan.model.batchnorm != "adapt"
    seconds = speed.of("build", plan) + _FILES
    if not (stored and plan.frozen and reusable):
        seconds += trace + cases * image  # predictions of all cases
    if plan.initial_solver is not None and not (stored and reuse):
        seconds += trace + _views(plan) * training * image
    for phase in plan.phases:
        steps = phase.epochs * math.ceil(training / plan.training.batch_size)
        seconds += steps * (speed.step + speed.weight_step * _head_parameters(config))
        opened = opened_share(plan, phase)
        if opened:
            extra = {name: speed.of(f"train_{name}", plan) for name in ("image", "trace")}
            seconds += 2 * trace + opened * max(0.0, extra["trace"] - trace) + speed.head_trace
            seconds += phase.epochs * training * (image + opened * max(0.0, extra["image"] - image))
            seconds += phase.epochs * validation * image
        else:
            seconds += speed.head_trace + (0.0 if stored and reusable else trace)
            if not reusable:
                seconds += phase.epochs * (training + validation) * image
            elif not stored:
                seconds += (phase.epochs * training + validation) * image
    return folds * seconds


def _exact_seconds(plan: Plan, config: Config, cases: int, speed: Speed, stored: bool, reuse: bool) -> float:
    """Return the seconds of a run whose head is solved exactly; its folds share the features.

    Args: Those of `_model_seconds`.
    """
    folds = config.split.folds or 1
    passes = 0 if stored and reuse else 1 if reuse else folds
    seconds = passes * (_views(plan) * cases * speed.of("image", plan) + speed.of("trace", plan))
    rows = cases * (1 - 1 / folds if folds > 1 else 1 - config.split.test) * _views(plan)
    width = _widths(config)
    return seconds + folds * (speed.of("build", plan) + _SOLVE * rows * width * min(rows, width) + _FILES)


def opened_share(plan: Plan, phase: PhaseOutline) -> float:
    """Return the share of a backbone, in [0, 1], through which the gradients of a phase pass.

    Gradients pass through all layer groups between the output and the lowest group that trains.
    """
    groups = group_names(plan.branches, plan.training.counting, weighted=True)
    if phase.unfreeze in ("none", "all"):
        return float(phase.unfreeze == "all")
    if not isinstance(phase.unfreeze, str):
        return (len(groups) - min(groups.index(name) for name in phase.unfreeze)) / len(groups)
    if phase.unfreeze.startswith("layers:"):
        return min(1.0, int(phase.unfreeze.removeprefix("layers:")) / _LAYERS)
    every = group_names(plan.branches, plan.training.counting)
    return min(1.0, int(phase.unfreeze.removeprefix("top")) / len(every))


def _training_share(config: Config) -> float:
    """Return the share of all images in the training set of one model."""
    folds, split = config.split.folds, config.split
    return (1 - 1 / folds) * split.train / (split.train + split.val) if folds else split.train


def _passes(config: Config) -> tuple[int, float]:
    """Return the number of models of a run, and in how many epochs a model sees an image, as a mean over all images."""
    return config.split.folds or 1, _training_share(config) * make_plan(config).epochs


class TimeLeft:
    """Estimates the remaining time from finished runs, separately for first and later users of shared activations.

    Args:
        runs: Unfinished runs, in order.

    Attributes:
        last: Seconds that the last run took.
    """

    def __init__(self, runs: Sequence[RunSpec]):
        self._left = [(run.name, kind) for run, kind in zip(runs, _kinds(runs), strict=True)]
        self._seconds: dict[str, list[float]] = {"first": [], "later": []}
        self.last = 0.0
        self.start()

    def start(self) -> None:
        """Start the time of the first run now."""
        self._since = time.monotonic()

    def done(self, name: str) -> None:
        """Record that a run ended now."""
        kind, now = dict(self._left)[name], time.monotonic()
        self._left = [item for item in self._left if item[0] != name]
        self.last, self._since = now - self._since, now
        self._seconds[kind].append(self.last)

    def left(self) -> float:
        """Return the remaining seconds; while there is no finished run of one kind, it counts as the other one."""
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
