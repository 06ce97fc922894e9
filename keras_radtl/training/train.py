"""Train and test a classifier and write its run directory; used by `fit`, sweeps and searches."""

from __future__ import annotations

import logging
import tempfile
import time
import weakref
from pathlib import Path

from keras_radtl.config import Config, UserError
from keras_radtl.data.dataset import Dataset
from keras_radtl.runs.directory import MODEL, REJECTED, SPLIT, SUMMARY, RunDirectory, check_output, create
from keras_radtl.runs.files import atomic, difference, write_csv, write_json
from keras_radtl.runs.lock import locked
from keras_radtl.runs.run import Run
from keras_radtl.training.build import build, describe
from keras_radtl.training.inner_folds import require_inner_folds
from keras_radtl.training.load import read_data, require_baseline_data, require_two_classes, require_validation_auc
from keras_radtl.training.plan import Plan, make_plan
from keras_radtl.training.run_options import RunOptions

logger = logging.getLogger(__name__)


def load_data(config: Config) -> Dataset:
    """Read, check and split the data of a configuration.

    Args:
        config: The sections `data` and `split` and the seed are used, and the backbone for the image size.
    Returns:
        The dataset. Pixels that do not fit in memory are mapped from a temporary file, which is removed with it.
    Raises:
        UserError: If data or options cannot be used; the message names the file, row or argument.
    """
    folder = tempfile.TemporaryDirectory(prefix="keras_radtl-")
    try:
        dataset = read_data(make_plan(config), Path(folder.name))
    except BaseException:
        folder.cleanup()
        raise
    weakref.finalize(dataset, folder.cleanup)
    return dataset


def train(config: Config, output: str | Path, *, data: Dataset | None = None, **options) -> Run:
    """Train and test a classifier, or one per fold, and write its run directory.

    An unfinished run of the same configuration in `output` resumes after its last saved epoch and gives the same bits
    as an uninterrupted run. Process-wide settings such as seeds, determinism and the Keras session are restored.

    Args:
        config: Everything that determines the result.
        output: The run directory.
        data: `load_data(config)`, if it is already loaded; None: it is loaded.
        options: Further fields of `RunOptions`, such as `overwrite=True` or `figures=False`.
    Returns:
        The finished run.
    Raises:
        UserError: If the input cannot be used; nothing is written then.
        Stopped: After Ctrl-C or SIGTERM; the last finished epoch is saved.
    """
    return Run(train_run(config, RunOptions(Path(output), **options), data).path)


def train_run(config: Config, options: RunOptions, dataset: Dataset | None = None, backbone_cache=None) -> RunDirectory:
    """Train as `train` does, and return the finished run directory.

    Args:
        config: Everything that determines the result.
        options: Output folder and execution.
        dataset: Result of `read_data`, if it is already loaded; None: it is loaded.
        backbone_cache: A `BackboneCache` that keeps the backbone for the next call. It is used only with
            `options.reuse`.
    Returns:
        The finished run directory.
    Raises:
        UserError: If the input cannot be used; nothing is written then.
        Stopped: After Ctrl-C or SIGTERM; the last finished epoch is saved.
    """
    if config.split.folds and not options.test:
        raise UserError("`folds` must be None without test predictions: each case is a test case of one fold")
    backbone_cache = backbone_cache if options.reuse else None
    with locked(options.output):
        action = check_output(options.output, config, options.resume, options.overwrite)
        if action == "done":
            return RunDirectory(Path(options.output))
        return _train(config, options, action, dataset, backbone_cache)


def _train(config: Config, options: RunOptions, action: str, dataset, backbone_cache) -> RunDirectory:
    from keras_radtl.training.session import training_session

    plan = make_plan(config)
    with (
        training_session(plan.seed, plan.device, plan.training.deterministic) as session,
        tempfile.TemporaryDirectory(prefix="keras_radtl-") as cache,
    ):
        from keras_radtl.models.precision import require_speedup
        from keras_radtl.training.exact_fit import require_solver_memory
        from keras_radtl.training.phase_loop import TrainingJob

        logger.info("device: %s", session.device)
        require_speedup(plan.training.precision, plan.device)
        dataset = dataset or read_data(plan, Path(cache))
        require_two_classes(plan, dataset)
        require_baseline_data(plan, dataset)
        require_validation_auc(dataset)
        require_inner_folds(plan, dataset)
        model = build(plan, dataset, dataset.splits[0].fold, backbone_cache)
        require_solver_memory(plan, dataset, model)
        describe(plan, model)  # the last check: nothing is written before it
        run = _open(config, options, action, dataset, session.device)
        session.stop.defer()
        for split in dataset.splits:
            model = model or build(plan, dataset, split.fold, backbone_cache, log=False)
            _train_split(TrainingJob(plan, dataset, split, run.fold(split.fold), session.stop, options), model)
            model = None
            session.stop.check(f"after fold {split.fold} of {len(dataset.splits)}" if split.fold else "after training")
        _finish(plan, dataset, run, options.figures)
    return run


def _open(config: Config, options: RunOptions, action: str, dataset: Dataset, device: str) -> RunDirectory:
    from keras_radtl.data.split import split_hash, split_rows
    from keras_radtl.reproducibility import environment

    record = {**environment(device), "data_sha256": dataset.fingerprint}
    record["feature_dtype"] = options.feature_dtype
    record["split_sha256"] = split_hash(dataset.cases, dataset.splits)
    if action == "resume":
        run = RunDirectory(Path(options.output))
        run.clean()
        changed = difference(run.environment(), record)
        if changed:
            raise UserError(f"{run.path} cannot be resumed: {'; '.join(changed[:3])}; `overwrite=True` starts over")
        logger.info("resuming %s", run.path)
    else:
        run = create(options.output, config, record)
    columns, *rows = split_rows(dataset.cases, dataset.splits)
    write_csv(run / SPLIT, columns, rows)
    if dataset.rejected:
        write_csv(run / REJECTED, ["path", "reason"], [[r.path, r.reason] for r in dataset.rejected])
    return run


def _train_split(job, model) -> None:
    """Train and test the model of one split in its own run directory; a finished fold is kept."""
    import keras

    from keras_radtl.reports.run_figures import draw_run
    from keras_radtl.runs.decision import decide
    from keras_radtl.runs.results import write_history, write_results
    from keras_radtl.training import checkpoint
    from keras_radtl.training.exact_fit import fit_exactly, set_initial_head
    from keras_radtl.training.phase_loop import fit, predict_splits

    plan, dataset, run = job.plan, job.dataset, job.run
    if job.split.fold and run.finished:
        return
    started = time.monotonic()
    if plan.strategy.solver is not None:
        state, parts, certificate = fit_exactly(job, model)
    else:
        certificate = set_initial_head(job, model)
        initial = checkpoint.read_weights(model)
        state = fit(job, model, initial)
        checkpoint.assign_weights(model, initial, checkpoint.load_best(run, state))
        parts = predict_splits(job, model)
    if job.options.save_model:
        with atomic(run / MODEL) as temporary:
            keras.Model(model.inputs[0], model.outputs[0], name=model.name).save(temporary)  # without the optimizer
    write_history(run, state.history)
    loss = _training_loss(job, state, parts["train"])
    parts, learned = decide(plan.prediction.threshold, dataset.cases, parts)
    write_results(run, dataset.cases, parts, plan.seed, loss["diverged"])
    write_json(run / SUMMARY, _summary(job, model, state, time.monotonic() - started) | loss | certificate | learned)
    if job.options.figures:
        draw_run(run, dataset, job.split, parts, state.history, plan.augment, plan.seed)
    if job.split.fold:
        run.set_status("finished", epoch=state.epoch)
        checkpoint.remove(run)


def _training_loss(job, state, predictions) -> dict:
    """Return the loss of the selected epoch on the training cases, and whether the training has diverged."""
    from keras_radtl.runs.divergence import constant_loss, has_diverged, training_loss

    cases = job.dataset.cases
    task = len(cases.classes), cases.multilabel
    loss = training_loss(predictions.logits, cases.targets[predictions.indices], cases.multilabel)
    diverged = has_diverged(loss, *task)
    if diverged:
        found = "%sthe training diverged: the loss of epoch %d on training cases is %.3g, that of equal probabilities"
        text = f"{found} %.3g; use a lower learning rate"
        logger.warning(text, job.prefix, state.best_epoch, loss, constant_loss(*task))
    return {"train_loss": loss, "diverged": diverged}


def _summary(job, model, state, seconds: float) -> dict:
    dataset, training = job.dataset, job.plan.training
    return {
        "classes": list(dataset.cases.classes),
        "multilabel": dataset.cases.multilabel,
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


def _finish(plan: Plan, dataset: Dataset, run: RunDirectory, figures: bool) -> None:
    """Pool the folds, if there are any, and mark the run as finished; only then is its checkpoint removed."""
    from keras_radtl.training import checkpoint

    if dataset.splits[0].fold:
        from keras_radtl.reports.run_figures import draw_pooled
        from keras_radtl.runs.pooled_folds import pool_folds
        from keras_radtl.training.exact_fit import pool_certificates

        folds = [run.fold(split.fold) for split in dataset.splits]
        pooled, summary = pool_folds(run, folds, dataset.cases, plan.seed, plan.prediction.threshold)
        if plan.strategy.solver is not None:
            summary |= pool_certificates([fold.summary() for fold in folds])
        write_json(run / SUMMARY, summary)
        if figures:
            draw_pooled(run, dataset.cases, pooled)
    run.set_status("finished")
    checkpoint.remove(run)
