"""Exact fits of a linear head on the features of the frozen backbone, and the initial weights of the head.

The strategy `probe` is fitted on all training and validation cases. The strength of its penalty is chosen by
cross-validation over inner folds of these cases, and the logits of the validation cases are those of that
cross-validation: each is predicted by a head that did not learn from it nor from another case of its group. Training
cases are predicted by the final head, as in every other run. A head learns from the test-time views of an image, by
which it will predict, and from augmented copies. The statistical baselines are fitted on the training cases
only, and validation cases or inner folds of the training cases choose the strength of their penalty.

Training by epochs may start from such a head (`initial_head`). It is then fitted on the training cases alone, since
the validation cases select the epoch.
"""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np

from keras_radtl.config import UserError
from keras_radtl.data.dataset import Dataset
from keras_radtl.data.sampling import class_weights, label_weights
from keras_radtl.data.views import UNCHANGED, View, mean_of_views
from keras_radtl.metrics.classification import macro_auc
from keras_radtl.metrics.multilabel import multilabel_auc
from keras_radtl.models.groups import HEAD
from keras_radtl.models.memory import available_memory
from keras_radtl.models.probabilities import mean_loss, to_probabilities
from keras_radtl.runs.directory import COEFFICIENTS, TENSORBOARD
from keras_radtl.runs.files import atomic
from keras_radtl.runs.progress import Progress
from keras_radtl.runs.results import Predictions
from keras_radtl.strategies.solvers import Solution, Solver, SolverSettings
from keras_radtl.training import callbacks, checkpoint
from keras_radtl.training.batch_sources import make_head_source
from keras_radtl.training.inner_folds import inner_folds, learned_parts
from keras_radtl.training.plan import Plan

logger = logging.getLogger(__name__)

_COPIES = 3  # of the float64 matrices of an exact fit, at most
_COPIES_OF_BASELINE = 5  # of the float32 matrix
_SHOWN = ("l2", "gradient_norm", "C", "relative_gap", "sparsity", "pseudo_r2")  # of a certificate, in the log


def _middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


_POOLED = {  # how the certificates of folds become that of the run
    "l2": _middle, "C": _middle, "gradient_norm": max, "duality_gap": max, "relative_gap": max,
    "max_kkt_violation": max, "converged": all, "optimal": all, "sparsity": _middle, "pseudo_r2": _middle,
    "likelihood_ratio": _middle, "p_value": max,
}  # fmt: skip


def require_solver_memory(plan: Plan, dataset: Dataset, model) -> None:
    """Refuse a plan whose exact fit needs more memory than is available.

    Args:
        plan: The plan of the run.
        dataset: The dataset.
        model: The classifier.
    Raises:
        UserError: Naming both amounts.
    """
    if not plan.exact:
        return
    cases = max(sum(len(getattr(split, name)) for name in learned_parts(plan)) for split in dataset.splits)
    rows = cases * solved_views(plan)
    width = int(model.get_layer(HEAD).input.shape[-1])
    needed, available, advice = 8 * _COPIES * width * (rows + min(rows, width)), available_memory(), "fewer `views`"
    if plan.strategy.baseline:
        needed = 4 * _COPIES_OF_BASELINE * rows * width + 8 * _COPIES * min(rows, width) * rows
        advice = "a smaller `image_size`, or frozen features"
    if needed > available:
        raise UserError(
            f"The exact fit of {rows:,} rows and {width:,} features needs about {needed / 1e9:.1f} GB of memory; "
            f"{available / 1e9:.1f} GB are available. Use {advice}"
        )


def solved_views(plan: Plan) -> int:
    """Return the number of views of each image from which an exact fit learns."""
    return (plan.training.views - 1 if plan.augment.active else 0) + len(_views(plan))


def _views(plan: Plan) -> tuple[View, ...]:
    """Return the views by which the head will predict, from which it learns beside augmented copies."""
    return plan.views if plan.strategy.held_out else (UNCHANGED,)


def fit_exactly(job, model) -> tuple[checkpoint.TrainingState, dict[str, Predictions], dict]:
    """Find the optimum of the head on training and validation cases, and give it to the model.

    Args:
        job: The `TrainingJob`; its strategy has a solver.
        model: The classifier.
    Returns:
        A state with one epoch, the predictions of each split, and the certificate for `summary.json`.
    Raises:
        UserError: If the solver does not converge.
    """
    features, views = Features(job, model), job.plan.views
    cases, solution = _solve(job, features, job.plan.strategy.solver)
    _assign_head(model, solution.coefficients, solution.intercept)
    parts = {"train": Predictions(job.split.train, features.logits(job.split.train, (UNCHANGED,)))}
    if solution.held_out is None:
        held_out = features.logits(job.split.val, views)
    else:
        held_out = solution.held_out[np.searchsorted(cases, job.split.val)].astype(np.float32)
    parts["val"] = Predictions(job.split.val, held_out)
    if job.options.test:
        parts["test"] = Predictions(job.split.test, features.logits(job.split.test, views))
    if solution.arrays:
        with atomic(job.run / COEFFICIENTS) as temporary:
            np.savez(temporary, **solution.arrays)
    state = _state(job, parts, {name: solution.certificate[name] for name in solution.strength})
    return state, parts, solution.certificate


def set_initial_head(job, model) -> dict:
    """Set the initial weights of the head as `training.initial_head` says.

    The optimum of a solver is saved in the run, so that a resumed run starts from the same bits.

    Args:
        job: The `TrainingJob`.
        model: The newly built classifier.
    Returns:
        Values for `summary.json`: the certificate of the solver, if there is one.
    """
    if job.plan.training.initial_head == "zero":
        layer = model.get_layer(HEAD).logits
        _assign_head(model, np.zeros(layer.kernel.shape), np.zeros(layer.bias.shape))
    if job.plan.initial_solver is None:
        return {}
    saved = checkpoint.load_head(job.run)
    if saved is None:
        _, found = _solve(job, Features(job, model), job.plan.initial_solver)
        saved = found.coefficients.astype(np.float32), found.intercept.astype(np.float32), found.certificate
        checkpoint.save_head(job.run, *saved)
    *weights, certificate = saved
    _assign_head(model, *weights)
    return {"initial_head": certificate}


def _assign_head(model, kernel: np.ndarray, bias: np.ndarray) -> None:
    layer = model.get_layer(HEAD).logits
    layer.kernel.assign(kernel.astype(np.float32))
    layer.bias.assign(bias.astype(np.float32))


class Features:
    """The features of the head for all views of the cases of a run; folds share them.

    Args:
        job: The `TrainingJob`.
        model: Classifier whose backbone has its initial weights.
    """

    def __init__(self, job, model):
        self._job, splits = job, job.dataset.splits
        learned = learned_parts(job.plan)
        predicted = ["train", "val", *["test"] * job.options.test] if job.plan.strategy.solver else learned
        self._learned, self._all = (
            np.unique(np.concatenate([getattr(split, name) for split in splits for name in names]))
            for names in (learned, predicted)
        )
        self.copies = range(1, job.plan.training.views if job.plan.augment.active else 1)  # epochs of the augmentation
        images = len(self._learned) * len(self.copies) + len(self._all) * len(job.plan.views)
        self._source = make_head_source(model, job, images)
        self._known: dict[str | int, np.ndarray] = {}

    def take(self, cases: np.ndarray, view: View | int = UNCHANGED) -> np.ndarray:
        """Return the features of cases, float32 of shape (n_cases, n_features).

        Args:
            cases: Row numbers of the case table.
            view: A test-time view, or the epoch of a random augmentation.
        """
        key, rows = (view, self._learned) if isinstance(view, int) else (view.name, self._all)
        if key not in self._known:
            self._known[key] = self._compute(rows, view)
        return self._known[key][np.searchsorted(rows, cases)]

    def logits(self, cases: np.ndarray, views: tuple[View, ...]) -> np.ndarray:
        """Return the logits of cases by the head of the model, averaged over views, float32 (n_cases, n_classes)."""
        return mean_of_views(lambda view: self._source.head_logits(self.take(cases, view)), views)

    def _compute(self, rows: np.ndarray, view: View | int) -> np.ndarray:
        job = self._job
        batches = -(-len(rows) // job.plan.training.batch_size)
        with Progress(f"{job.prefix}features, {_title(view)}", batches) as progress:

            def after_batch():
                progress.advance()
                job.stop.check("while features were computed; those of finished views are stored")

            self._source.after_batch = after_batch
            return self._source.features(rows, view)


def _title(view: View | int) -> str:
    if isinstance(view, int):
        return f"augmented view {view}"
    return f"test-time view {view.name.partition(',')[0]}" if view.name else "view 0"


def _solve(job, features: Features, solver: Solver) -> tuple[np.ndarray, Solution]:
    """Solve the problem of the head; returns the cases, sorted, and the solution."""
    plan, table = job.plan, job.dataset.cases
    cases, folds = np.sort(job.split.train), np.zeros(0, np.int64)
    if plan.folds_needed:
        cases, folds = inner_folds(plan, job.dataset, job.split)
    targets = table.targets[cases]
    views = [features.take(cases, view) for view in (*_views(plan), *features.copies)]
    solution = solver(views, targets, folds, _settings(job, features, cases))
    found = solution.certificate | {"views": len(views)}
    found |= {"inner_folds": int(folds.max()) + 1} if plan.folds_needed else {}
    shown = "".join(f", {name} {found[name]:.3g}" for name in _SHOWN if name in found)
    seen = "1 view" if len(views) == 1 else f"{len(views)} views"
    logger.info("%s%d cases, %d features, %s%s", job.prefix, len(cases), views[0].shape[1], seen, shown)
    if found.get("optimal") is False:
        text = (
            "%sthe solution at C=%g is not optimal: relative duality gap %.2g; increase `training.lasso.max_iterations`"
        )
        logger.warning(text, job.prefix, found["C"], found["relative_gap"])
    return cases, replace(solution, certificate=found)


def _settings(job, features: Features, cases: np.ndarray) -> SolverSettings:
    plan, table = job.plan, job.dataset.cases
    judged = np.mean([features.take(cases, view) for view in plan.views], axis=0) if plan.strategy.held_out else None
    balanced = plan.training.class_weight == "balanced"
    validation = (features.take(job.split.val), table.targets[job.split.val]) if plan.strategy.baseline else None

    def report(text: str) -> None:
        logger.info("%s%s", job.prefix, text)
        job.stop.check("while the path was computed; it starts again")

    return SolverSettings(
        outputs=len(table.classes),
        multilabel=table.multilabel,
        one_standard_error=plan.training.one_standard_error,
        weights=_case_weights(table.targets[cases], len(table.classes)) if balanced else None,
        judged=judged,
        lasso=plan.training.lasso,
        validation=validation,
        report=report,
    )


def _case_weights(targets: np.ndarray, classes: int) -> np.ndarray:
    """Return weights that balance the classes, of shape (n,), or presence and absence of labels, (n, n_labels)."""
    if targets.ndim == 1:
        return class_weights(targets, classes)[targets]
    absent, present = label_weights(targets).T
    return np.where(targets == 1, present, absent)


def _state(job, parts: dict[str, Predictions], strength: dict[str, float]) -> checkpoint.TrainingState:
    """Return the state of a training of one epoch, with losses and metrics as those of other strategies."""
    table = job.dataset.cases

    def loss(name: str) -> float:
        return mean_loss(parts[name].logits, table.targets[parts[name].indices], table.multilabel)

    targets = table.targets[parts["val"].indices]
    probabilities = to_probabilities(parts["val"].logits, table.multilabel)
    known = ~np.isnan(targets)
    right = (parts["val"].predicted(table.multilabel) == targets)[known]
    score = multilabel_auc if table.multilabel else macro_auc
    logs = {**strength, "loss": loss("train"), "val_accuracy": float(right.mean())}
    logs |= {"val_auc": float(score(targets, probabilities)), "val_loss": loss("val")}
    shown = "  ".join(f"{name} {logs[name]:.4f}" for name in ("loss", "val_loss", "val_auc"))
    logger.info("%s%s%s", job.prefix, shown, " (validation cases held out)" * job.plan.strategy.held_out)
    if job.options.tensorboard:
        callbacks.TensorBoardScalars(job.run / TENSORBOARD).on_epoch_end(0, logs)
    row = {"epoch": 1, "phase": job.plan.phases[0].name, **logs}
    return checkpoint.TrainingState(
        epoch=1, phase=1, best_epoch=1, best_value=logs[job.plan.training.monitor], history=[row]
    )


def pool_certificates(summaries: list[dict]) -> dict:
    """Return the certificate of a cross-validated run: the worst of its folds, and the strength of each.

    Args:
        summaries: Content of `summary.json` of each fold.
    """
    columns = {name: [summary[name] for summary in summaries] for name in summaries[0] if name in _POOLED}
    each = {f"fold_{name}": values for name, values in columns.items() if _POOLED[name] is _middle}
    return {name: _POOLED[name](values) for name, values in columns.items()} | each
