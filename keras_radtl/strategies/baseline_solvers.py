"""The statistical baselines as solvers of a linear head: lasso and logistic regression on standardised features.

A baseline has two classes and one logit, x w + b of the standardised features. Standardisation is folded into the
coefficients of the head, which has the logits -1/2 and 1/2 of it.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import numpy as np

from keras_radtl.baselines.lasso import LassoFit, fit_lasso, lasso_path, path_values
from keras_radtl.baselines.logistic import fit_logistic
from keras_radtl.baselines.selection import choose_by_validation, cross_validate
from keras_radtl.baselines.standardization import Standardization, fit_standardization
from keras_radtl.config import LassoConfig
from keras_radtl.strategies.solvers import Solution, SolverSettings


def solve_lasso(
    features: Sequence[np.ndarray], targets: np.ndarray, folds: np.ndarray, settings: SolverSettings
) -> Solution:
    """Fit a lasso or elastic net at the configured C, or at the best C of a path.

    Args:
        features: One float32 array of shape (n, n_features), in a sequence.
        targets: 0/1 array of shape (n,).
        folds: int array of shape (n,), used if cross-validation chooses C.
        settings: `lasso` and, if validation cases choose C, `validation`.
    Returns:
        The solution. Its certificate has the fields of `baselines.Certificate`, `solver`, `iterations`, `pseudo_r2`,
        `glmnet_lambda` and, for a path, `path`, which has the loss at each C that chose it.
    Raises:
        UserError: If the features are constant or not finite, or the package of the solver is missing.
    """
    with _one_thread():
        standard = fit_standardization(features[0])
        matrix = standard.transform(features[0])
        fit, path = _fit_lasso(features[0], matrix, standard, targets, folds, settings)
    certificate = asdict(fit.certificate)
    found = {name: getattr(fit, name) for name in ("solver", "iterations", "pseudo_r2", "glmnet_lambda")}
    return _solution(fit, standard, certificate | found | ({"path": path} if path else {}), ("C",))


def solve_logistic(
    features: Sequence[np.ndarray], targets: np.ndarray, folds: np.ndarray, settings: SolverSettings
) -> Solution:
    """Fit a logistic regression by maximum likelihood.

    Args:
        features: One float32 array of shape (n, n_features), in a sequence.
        targets: 0/1 array of shape (n,).
        folds: Not used.
        settings: Not used.
    Returns:
        The solution. Its certificate has `pseudo_r2`, `likelihood_ratio`, `degrees_of_freedom`, `p_value`, `log10_p`,
        `log_likelihood`, `null_log_likelihood`, `separation` and `note`.
    Raises:
        UserError: If the features are constant or not finite.
    """
    with _one_thread():
        standard = fit_standardization(features[0])
        fit = fit_logistic(standard.transform(features[0]), targets)
    names = ("pseudo_r2", "likelihood_ratio", "degrees_of_freedom", "p_value", "log10_p")
    certificate = {name: getattr(fit, name) for name in (*names, "log_likelihood", "null_log_likelihood", "note")}
    return _solution(fit, standard, certificate | {"separation": fit.separation.kind}, ())


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Use one BLAS thread, so that the bits do not depend on the number of cores; certificates replace warnings."""
    import scipy.linalg  # noqa: F401  (its threads are limited, too)
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def _fit_lasso(
    raw: np.ndarray,
    matrix: np.ndarray,
    standard: Standardization,
    targets: np.ndarray,
    folds: np.ndarray,
    settings: SolverSettings,
) -> tuple[LassoFit, list[dict]]:
    """Return the fit, and for each C of a path a row with its loss."""
    config = settings.lasso
    options = _options(config)
    if config.C is not None:
        return fit_lasso(matrix, targets, config.C, **options), []
    values = path_values(matrix, targets, config.path, config.largest, config.l1_ratio)
    if config.choice == "cross_validation":
        count = len(np.unique(folds))

        def progress(fold: int, step: int, fit: LassoFit, loss: float) -> None:
            where = f"fold {fold + 1} of {count}, step {step + 1} of {len(values)}"
            settings.report(f"lasso: {where}, {_fit_text(fit)}, log-loss {loss:.4f}")

        found = cross_validate(raw, targets, folds, values, count, progress=progress, **options)
        errors = found.losses.std(axis=0, ddof=1) / np.sqrt(count)
        rows = zip(values, found.losses.mean(axis=0), errors, strict=True)
        chosen = found.within_one_error if settings.one_standard_error else found.best
        path = [{"C": float(C), "loss": float(loss), "standard_error": float(error)} for C, loss, error in rows]
        return fit_lasso(matrix, targets, chosen, **options), path
    path = []
    features, truth = settings.validation
    fits = _reported(lasso_path(matrix, targets, values, **options), len(values), path, settings)
    best, losses = choose_by_validation(fits, standard.transform(features), truth)
    for row, loss in zip(path, losses, strict=True):
        row["loss"] = float(loss)
    return best, path


def _options(config: LassoConfig) -> dict:
    names = ("l1_ratio", "solver", "tolerance", "max_iterations")
    return {name: getattr(config, name) for name in names}


def _reported(fits: Iterator[LassoFit], steps: int, path: list[dict], settings: SolverSettings) -> Iterator[LassoFit]:
    """Yield fits, with a line of text and a row of the path for each."""
    for step, fit in enumerate(fits, start=1):
        path.append({"C": fit.certificate.C, "sparsity": fit.certificate.sparsity})
        path[-1] |= {"relative_gap": fit.certificate.relative_gap, "optimal": fit.certificate.optimal}
        settings.report(f"lasso: step {step} of {steps}, {_fit_text(fit)}")
        yield fit


def _fit_text(fit: LassoFit) -> str:
    return f"C {fit.certificate.C:.4g}, relative gap {fit.certificate.relative_gap:.1e}"


def _solution(fit, standard: Standardization, certificate: dict, strength: tuple[str, ...]) -> Solution:
    weights = fit.coef / standard.scale
    bias = fit.intercept - standard.mean @ weights
    arrays = {"coef": fit.coef, "intercept": np.float64(fit.intercept), "mean": standard.mean, "scale": standard.scale}
    half = np.array([-0.5, 0.5])
    return Solution(weights[:, None] * half, bias * half, None, certificate, strength, arrays)
