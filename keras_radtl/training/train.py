"""Train: a configuration goes in, a run directory comes out. What `fit`, sweeps and searches call."""

from __future__ import annotations

import logging
import tempfile
import time
from pathlib import Path

import numpy as np

from keras_radtl.config import Config, UserError
from keras_radtl.runs.directory import ENVIRONMENT, MODEL, REJECTED, SPLIT, SUMMARY, RunDirectory, check_output, create
from keras_radtl.runs.files import atomic, difference, locked, read_json, write_csv, write_json
from keras_radtl.runs.interrupt import StopRequest
from keras_radtl.runs.progress import Progress
from keras_radtl.training.run_options import RunOptions

logger = logging.getLogger(__name__)


def train(config: Config, request: RunOptions, dataset=None, backbone_cache=None) -> RunDirectory:
    """Train, test and describe one model, or one a fold, and return its finished run directory.

    An unfinished run of the same configuration in `request.output` goes on after its last finished epoch.

    Args:
        config: all that decides the result.
        request: where and how.
        dataset: `load_data(config, ...)` when it is at hand, as in a sweep; None: it is read.
        backbone_cache: a `BackboneCache` that keeps the backbone for the next call; None, or `request.reuse` off: it is built anew.
    Raises:
        UserError: for any input that cannot be used; nothing is written then.
        Stopped: after Ctrl-C or SIGTERM, with the last finished epoch saved.
    """
    if config.split.folds and not request.test:
        raise UserError("`folds` must be None without test predictions: each case is a test case of one of them")
    backbone_cache = backbone_cache if request.reuse else None
    with locked(request.output):
        action = check_output(request.output, config, request.resume, request.overwrite)
        if action == "done":
            return RunDirectory(Path(request.output))
        from keras_radtl.reproducibility import environment, prepare

        device = prepare(config.seed, config.device, config.training.deterministic)
        from keras_radtl.training.phase_loop import TrainingJob

        logger.info("device: %s", device)
        with tempfile.TemporaryDirectory(prefix="keras_radtl-") as cache:
            check_names(config)
            dataset = dataset or load_data(config, Path(cache))
            model = build(config, dataset, dataset.splits[0].fold, backbone_cache)
            describe(config, model)  # the last thing that refuses: until here no file is written
            run = _open(config, request, action, dataset, environment(device))
            with StopRequest() as stop:
                for split in dataset.splits:
                    model = model or build(config, dataset, split.fold, backbone_cache)
                    _train_split(TrainingJob(config, dataset, split, run.fold(split.fold), stop, request), model)
                    model = None
                    stop.check(f"after fold {split.fold} of {len(dataset.splits)}" if split.fold else "after training")
                _finish(config, dataset, run, request.figures)
    return run


def check_names(config: Config) -> None:
    """Refuse unknown names, and a precision without use, before the data are read."""
    from keras_radtl.models.backbones.branches import branches
    from keras_radtl.models.layers.head_sizes import require_head
    from keras_radtl.models.precision import require_gain
    from keras_radtl.strategies.optimizers import make_optimizer
    from keras_radtl.strategies.table import get_strategy

    require_gain(config.training.precision)
    branches(config.model)
    require_head(config.model.head.name)
    get_strategy(config.training.strategy)
    make_optimizer(config.training, config.training.learning_rate)


def load_data(config: Config, cache: Path):
    """Read, check and split the data of a configuration, and log what was found; returns a `Dataset`."""
    from keras_radtl.data.dataset import load_dataset
    from keras_radtl.models.backbones.branches import default_image_size

    image_size = config.data.image_size or default_image_size(config.model)
    with Progress("images", 1) as progress:
        dataset = load_dataset(config, image_size, cache, progress.update)
    table = dataset.table
    if table.multilabel:
        content = ", ".join(table.classes)
    else:
        counts = np.bincount(table.targets[table.targets >= 0], minlength=len(table.classes))
        content = ", ".join(f"{count} {name}" for count, name in zip(counts, table.classes, strict=True))
    logger.info("data: %s, %d images (%s), %d groups", table.name, len(table), content, len(set(table.groups)))
    return dataset


def build(config: Config, dataset, fold: int, backbone_cache=None):
    """Build the classifier of one fold with its first weights, in a fresh Keras session; `backbone_cache` as for `train`."""
    import keras

    from keras_radtl.models.backbone_cache import build_backbones
    from keras_radtl.models.classifier import build_classifier
    from keras_radtl.models.precision import dtype_policy
    from keras_radtl.reproducibility import derive_seed

    if backbone_cache is not None:
        backbone_cache.release()
    keras.backend.clear_session()
    table, shape = dataset.table, tuple(int(n) for n in dataset.pixels.shape[1:])
    seed = derive_seed(config.seed, "weights", fold)
    with dtype_policy(config.training.precision):
        make = backbone_cache or build_backbones
        return build_classifier(config.model, len(table.classes), shape, seed, table.multilabel, make_backbones=make)


def describe(config: Config, model) -> None:
    """Log, for each phase, the layer groups with what trains of them.

    Raises:
        UserError: when the training needs more memory than there is.
    """
    from keras_radtl.models.groups import group_table, set_trainable
    from keras_radtl.models.memory import estimate_memory, require_memory
    from keras_radtl.strategies.table import plan_phases

    training = config.training
    for phase in plan_phases(model, training):
        set_trainable(model, phase.layers)
        require_memory(estimate_memory(model, training.batch_size), f"Phase {phase.name}")
        logger.info("phase %s: %d epochs, learning rate %g", phase.name, phase.epochs, phase.learning_rate)
        logger.info("%s", group_table(model, training.counting))


def _open(config: Config, request: RunOptions, action: str, dataset, environment: dict) -> RunDirectory:
    from keras_radtl.data.split import split_hash, split_rows

    record = {**environment, "data_sha256": dataset.fingerprint}
    record["feature_dtype"] = request.feature_dtype
    record["split_sha256"] = split_hash(dataset.table, dataset.splits)
    if action == "resume":
        run = RunDirectory(Path(request.output))
        run.clean()
        changed = difference(read_json(run / ENVIRONMENT), record)
        if changed:
            raise UserError(f"{run.path} cannot be resumed, since {'; '.join(changed[:3])}; --overwrite starts over")
        logger.info("resuming %s", run.path)
    else:
        run = create(request.output, config, record)
    columns, *rows = split_rows(dataset.table, dataset.splits)
    write_csv(run / SPLIT, columns, rows)
    if dataset.rejected:
        write_csv(run / REJECTED, ["path", "reason"], [[r.path, r.reason] for r in dataset.rejected])
    return run


def _train_split(job, model) -> None:
    """Train and test the model of one split in its own run directory; a finished fold is left as it is."""
    import keras

    from keras_radtl.reports.run_figures import draw_run
    from keras_radtl.runs.results import write_history, write_results
    from keras_radtl.training import checkpoint
    from keras_radtl.training.phase_loop import fit, predict_splits

    config, dataset, run = job.config, job.dataset, job.run
    if job.split.fold and run.finished:
        return
    started = time.monotonic()
    initial = checkpoint.read_weights(model)
    state = fit(job, model, initial)
    checkpoint.assign_weights(model, initial, checkpoint.load_best(run, state))
    if job.request.save_model:
        with atomic(run / MODEL) as temporary:
            keras.Model(model.inputs, model.outputs, name=model.name).save(temporary)  # without the optimizer
    write_history(run, state.history)
    parts = predict_splits(job, model)
    write_results(run, dataset.table, parts, config.seed)
    write_json(run / SUMMARY, _summary(job, model, state, time.monotonic() - started))
    if job.request.figures:
        draw_run(run, config, dataset, job.split, parts, state.history)
    if job.split.fold:
        run.set_status("finished", epoch=state.epoch)
        checkpoint.remove(run)


def _summary(job, model, state, seconds: float) -> dict:
    dataset, training = job.dataset, job.config.training
    return {
        "classes": list(dataset.table.classes),
        "multilabel": dataset.table.multilabel,
        "image_shape": [int(n) for n in dataset.pixels.shape[1:]],
        "epochs": state.epoch,
        "best_epoch": state.best_epoch,
        "best_val_auc": state.history[state.best_epoch - 1]["val_auc"],
        "monitor": training.monitor,
        "precision": training.precision,
        "jit_compile": state.jit_compile,
        "parameters": int(model.count_params()),
        "seconds": round(seconds, 1),
    }


def _finish(config: Config, dataset, run: RunDirectory, figures: bool) -> None:
    """Pool the folds, if there are any, and mark the run as finished; only then its checkpoint may go."""
    from keras_radtl.training import checkpoint

    if dataset.splits[0].fold:
        from keras_radtl.reports.run_figures import draw_pooled
        from keras_radtl.runs.results import pool_folds

        folds = [run.fold(split.fold) for split in dataset.splits]
        pooled, summary = pool_folds(run, folds, dataset.table, config.seed)
        write_json(run / SUMMARY, summary)
        if figures:
            draw_pooled(run, dataset.table, pooled)
    run.set_status("finished")
    checkpoint.remove(run)
