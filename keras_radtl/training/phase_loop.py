"""Train one model: the phases of its strategy in order. Epochs are counted over all phases."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from keras_radtl.data.dataset import Dataset
from keras_radtl.data.sampling import Balanced, Shuffled, class_weights, label_weights, make_order
from keras_radtl.data.split import Split
from keras_radtl.data.views import UNCHANGED
from keras_radtl.metrics.classification import macro_auc
from keras_radtl.metrics.multilabel import multilabel_auc
from keras_radtl.models.groups import set_trainable
from keras_radtl.models.losses import make_loss
from keras_radtl.runs.directory import SPLITS, TENSORBOARD, RunDirectory
from keras_radtl.runs.interrupt import StopRequest
from keras_radtl.runs.progress import Progress
from keras_radtl.runs.results import Predictions
from keras_radtl.strategies import starting_point
from keras_radtl.strategies.layer_rates import make_multipliers
from keras_radtl.strategies.phases import Phase, compile_phase
from keras_radtl.strategies.schedules import learning_rate
from keras_radtl.strategies.table import resolve_phases
from keras_radtl.training import callbacks, checkpoint
from keras_radtl.training.batch_sources import make_batch_source
from keras_radtl.training.plan import Plan
from keras_radtl.training.run_options import RunOptions

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingJob:
    """The training of one model; a cross-validated run has one job per fold.

    Attributes:
        plan: The plan of the run.
        dataset: The dataset of the run.
        split: Training, validation and test cases.
        run: Directory of the run or fold.
        stop: Records Ctrl-C and SIGTERM.
        options: Options of the run.
    """

    plan: Plan
    dataset: Dataset
    split: Split
    run: RunDirectory
    stop: StopRequest
    options: RunOptions

    @property
    def prefix(self) -> str:
        """Prefix of the log lines: the fold, if there are folds."""
        return f"fold {self.split.fold}/{len(self.dataset.splits)}  " if self.split.fold else ""

    @property
    def earlier_folds(self) -> int:
        """Number of folds that are trained before this one."""
        return max(self.split.fold - 1, 0)

    @property
    def steps(self) -> int:
        """Number of batches per epoch."""
        return math.ceil(len(self.order) / self.plan.training.batch_size)

    @cached_property
    def order(self) -> Shuffled | Balanced:
        """Function of the epoch that returns its training cases in order."""
        training, targets = self.plan.training, self.dataset.cases.targets
        order = make_order(training.sampling, targets, self.split.train, self.plan.seed)
        if training.sampling == "balanced":
            text = "%sbalanced sampling: an epoch draws %d cases of each of %d classes"
            logger.info(text, self.prefix, order.share, len(order.groups))
        return order

    @cached_property
    def weights(self) -> np.ndarray | None:
        """Case weights, float32 array of shape (n_cases,), with equal sums per class; None without class weights."""
        table = self.dataset.cases
        if self.plan.training.class_weight == "none" or table.multilabel:
            return None
        weights = class_weights(table.targets[self.split.train], len(table.classes))
        shown = ", ".join(f"{name} {weight:.3f}" for name, weight in zip(table.classes, weights, strict=True))
        logger.info("%sclass weights: %s", self.prefix, shown)
        return weights[table.targets].astype(np.float32)

    @cached_property
    def loss(self):
        """The training loss; for a multi-label task it includes the weights of absence and presence of each label."""
        training, table, weights = self.plan.training, self.dataset.cases, None
        if table.multilabel and training.class_weight == "balanced":
            weights = label_weights(table.targets[self.split.train])
            rows = zip(table.classes, weights, strict=True)
            shown = ", ".join(f"{name} {absent:.3f}/{present:.3f}" for name, (absent, present) in rows)
            logger.info("%slabel weights (absent/present): %s", self.prefix, shown)
        return make_loss(table.multilabel, self.plan.focal_gamma, weights)


def fit(job: TrainingJob, model, initial: checkpoint.Weights) -> checkpoint.TrainingState:
    """Train a model from its initial weights, or from the last checkpoint of the run.

    Args:
        job: The training job.
        model: The classifier.
        initial: Its initial weights.
    Returns:
        The final state; `checkpoint.load_best` returns the weights of the best epoch.
    """
    training = job.plan.training
    saved = checkpoint.load(job.run)
    state, optimizer = checkpoint.TrainingState(), None
    if saved is not None:
        state, changed, optimizer = saved
        checkpoint.assign_weights(model, initial, changed)
        logger.info("%sresuming after epoch %d", job.prefix, state.epoch)
    phases = resolve_phases(model, job.plan.phases, training.counting)
    steps = job.plan.epochs * job.steps  # of a fold
    with Progress(f"{job.prefix}training", steps * len(job.dataset.splits)) as progress:
        progress.update(steps * job.earlier_folds + state.epoch * job.steps)
        later = len(job.dataset.splits) - job.earlier_folds - 1
        report = callbacks.EpochReport(progress, job.plan.epochs, job.prefix, later)
        while state.phase < len(phases):
            phase = phases[state.phase]
            over = state.epoch >= state.phase_start + phase.epochs
            if not (over or state.phase_over(training.patience) or state.run_over(training.total_patience)):
                _fit_phase(job, model, initial, phase, state, optimizer, report)
            optimizer = None
            state.phase, state.phase_start, state.phase_stale, state.phase_best = state.phase + 1, state.epoch, 0, None
    return state


def _fit_phase(job: TrainingJob, model, initial, phase: Phase, state, optimizer, report) -> None:
    plan, training, strategy = job.plan, job.plan.training, job.plan.strategy
    set_trainable(model, phase.layers)
    if strategy.penalty:
        from_head = plan.initial_solver is not None
        starting_point.add_penalty(model, initial, training.alpha, training.beta, strategy.penalty, from_head)
    multipliers = make_multipliers(model, plan.group_multipliers, training.counting, plan.auto_multipliers)
    source = make_batch_source(model, job, phase.epochs)
    compile_phase(
        source.model, phase, plan.optimizer, job.loss, multipliers, scale_loss=training.precision == "mixed_float16"
    )
    state.jit_compile = bool(source.model.jit_compile)
    if optimizer is not None and state.epoch > state.phase_start:
        checkpoint.assign_optimizer(source.model.optimizer, optimizer)
    last = state.phase_start + phase.epochs
    try:
        source.model.fit(
            source.training(state.epoch, last),
            initial_epoch=state.epoch,
            epochs=last,
            steps_per_epoch=job.steps,
            shuffle=False,
            verbose=0,
            callbacks=_callbacks(job, model, initial, phase, state, source, multipliers, report),
        )
    except Exception:
        if source.failure is not None:
            raise source.failure from None
        raise
    finally:
        source.release()
    starting_point.remove_penalty(model)


def _callbacks(job: TrainingJob, model, initial, phase: Phase, state, source, multipliers, report) -> list:
    training, multilabel, val = job.plan.training, job.dataset.cases.multilabel, job.split.val
    start, score = state.phase_start, multilabel_auc if multilabel else macro_auc

    def rate(epoch):
        return learning_rate(training.schedule, phase.learning_rate, epoch - start, phase.epochs)

    save = callbacks.SaveCheckpoint(
        job.run, model, initial, state, phase.name, training.monitor, training.patience,
        training.total_patience, multipliers, job.options.checkpoint_seconds,
    )  # fmt: skip
    listed = [
        callbacks.ResetDropoutSeeds(job.plan.seed),
        *_multiplier_callbacks(multipliers, source),
        callbacks.LearningRateSchedule(rate),
        callbacks.LogPenalty(),
        callbacks.Validation(
            lambda: source.logits(val),
            job.dataset.cases.targets[val],
            score,
            multilabel,
            job.plan.focal_gamma,
            job.prefix,
        ),
        save,
        report,
        callbacks.StopOnRequest(job.stop, save),
    ]
    return [*listed, callbacks.TensorBoardScalars(job.run / TENSORBOARD)] if job.options.tensorboard else listed


def _multiplier_callbacks(multipliers, source) -> list:
    if multipliers is None:
        return []
    return [callbacks.LearningRateMultipliers(multipliers, lambda epoch: source.training(epoch, epoch + 1))]


def predict_splits(job: TrainingJob, model) -> dict[str, Predictions]:
    """Return the predictions of each split; of the test cases only with `RunOptions.test`.

    Validation and test cases are predicted by the views of the plan, training cases by the image alone.
    """
    phases = resolve_phases(model, job.plan.phases, job.plan.training.counting)
    trained = frozenset().union(*(phase.layers for phase in phases))
    set_trainable(model, trained)  # the layers below have their initial weights in every epoch
    source = make_batch_source(model, job, epochs=1)
    parts = {name: getattr(job.split, name) for name in SPLITS if name != "test" or job.options.test}
    views = {name: (UNCHANGED,) if name == "train" else job.plan.views for name in parts}
    return {name: Predictions(indices, source.logits(indices, views[name])) for name, indices in parts.items()}
