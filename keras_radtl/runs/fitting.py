"""Fit one model: the phases of its strategy, one after the other, on one axis of epochs."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

import numpy as np

from keras_radtl.config import Config
from keras_radtl.data.dataset import Dataset
from keras_radtl.data.split import Split
from keras_radtl.metrics.classification import macro_auc
from keras_radtl.models.losses import make_loss
from keras_radtl.runs import callbacks, checkpoint
from keras_radtl.runs.directory import TENSORBOARD, RunDirectory
from keras_radtl.runs.feeds import PixelFeed
from keras_radtl.runs.progress import Progress
from keras_radtl.runs.stopping import StopRequest
from keras_radtl.strategies.phases import Phase, enter_phase, plan_phases
from keras_radtl.strategies.schedules import learning_rate

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """One model to fit: what `train` does once, or once a fold."""

    config: Config
    dataset: Dataset
    split: Split
    run: RunDirectory
    stop: StopRequest
    tensorboard: bool = False

    @property
    def prefix(self) -> str:
        """Beginning of the lines of this job."""
        return f"fold {self.split.fold}/{len(self.dataset.splits)}  " if self.split.fold else ""


def fit(job: Job, model, initial: checkpoint.Weights) -> checkpoint.TrainingState:
    """Train `model` from `initial`, or from the last checkpoint of the run; returns the final state.

    The best weights are then in the run's `best_*.npz`.
    """
    training = job.config.training
    saved = checkpoint.load(job.run)
    state, optimizer = checkpoint.TrainingState(), None
    if saved is not None:
        state, changed, optimizer = saved
        checkpoint.assign_weights(model, initial, changed)
        logger.info("%sgoing on after epoch %d", job.prefix, state.epoch)
    phases = plan_phases(model, job.config)
    epochs, steps = sum(phase.epochs for phase in phases), math.ceil(len(job.split.train) / training.batch_size)
    with Progress(f"{job.prefix}training", epochs * steps) as progress:
        progress.update(state.epoch * steps)
        while state.phase < len(phases):
            phase = phases[state.phase]
            over = state.epoch >= state.phase_start + phase.epochs
            stale = training.patience is not None and state.phase_stale >= training.patience
            if not over and not stale:
                report = callbacks.Report(progress, epochs, job.prefix)
                _fit_phase(job, model, initial, phase, state, optimizer, report)
            optimizer = None
            state.phase, state.phase_start, state.phase_stale, state.phase_best = state.phase + 1, state.epoch, 0, None
    return state


def _fit_phase(job: Job, model, initial, phase: Phase, state, optimizer, report) -> None:
    training, dataset = job.config.training, job.dataset
    enter_phase(model, phase, training, make_loss(dataset.table.multilabel))
    if optimizer is not None and state.epoch > state.phase_start:
        checkpoint.assign_optimizer(model.optimizer, optimizer)
    start, end = state.phase_start, state.phase_start + phase.epochs
    targets = dataset.table.targets
    feed = PixelFeed(model, job.config, dataset.pixels, targets, sample_weights(job), job.split.train, job.split.val)
    rate = lambda epoch: learning_rate(training.schedule, phase.learning_rate, epoch - start, phase.epochs)  # noqa: E731
    around = [
        callbacks.Reseed(job.config.seed),
        callbacks.Rate(rate),
        callbacks.Validate(feed.validation, targets[job.split.val], macro_auc, dataset.table.multilabel),
        callbacks.Keep(job.run, model, initial, state, phase.name, training.patience),
        report,
        callbacks.StopOnRequest(job.stop),
    ]
    if job.tensorboard:
        around.append(callbacks.Scalars(job.run / TENSORBOARD))
    feed.model.fit(
        feed.training(state.epoch, end),
        initial_epoch=state.epoch,
        epochs=end,
        steps_per_epoch=math.ceil(len(job.split.train) / training.batch_size),
        verbose=0,
        callbacks=around,
    )


def sample_weights(job: Job) -> np.ndarray | None:
    """Return a weight a case, float32 (cases,), that gives each class the same sum in training; None without weighting."""
    if job.config.training.class_weight == "none":
        return None
    targets, train = job.dataset.table.targets, job.split.train
    counts = np.bincount(targets[train], minlength=len(job.dataset.table.classes))
    weights = len(train) / (len(counts) * counts)
    logger.info("%sclass weights: %s", job.prefix, ", ".join(f"{n} {w:.3f}" for n, w in zip(job.dataset.table.classes, weights)))
    return weights[targets].astype(np.float32)
