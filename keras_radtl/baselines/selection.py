"""Choice of C: the smallest mean log-loss of validation cases, or of cases left out in a grouped cross-validation.

Ties go to the smaller C, that is, to fewer coefficients. Pixels are standardized with the training cases of each fold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from keras_radtl.baselines.certificate import class_signs, linear_scores
from keras_radtl.baselines.lasso import LassoFit, lasso_path
from keras_radtl.baselines.standardization import fit_standardization
from keras_radtl.config.errors import UserError, require


@dataclass(frozen=True)
class CrossValidation:
    """Log-losses of cases left out.

    Attributes:
        values: float64 array of shape (k,), ascending values of C.
        losses: float64 array of shape (folds, k), mean log-loss in nats of the cases left out.
        optimal: bool array of shape (folds, k), whether each fit is certified optimal.
        best: The C whose mean over folds is smallest.
        within_one_error: The smallest C whose mean is within one standard error of the smallest, as glmnet's
            `lambda.1se`.
    """

    values: np.ndarray
    losses: np.ndarray
    optimal: np.ndarray
    best: float
    within_one_error: float


def mean_log_loss(fit: LassoFit, features: np.ndarray, targets) -> float:
    """Return the mean log-loss in nats of a fit on features of shape (n, p) and 0/1 targets of shape (n,)."""
    signs = class_signs(targets, len(features))
    return float(np.logaddexp(0, -signs * linear_scores(features, fit.coef, fit.intercept)).mean())


def choose_by_validation(fits: Iterable[LassoFit], features: np.ndarray, targets) -> tuple[LassoFit, np.ndarray]:
    """Return the fit of a path with the smallest mean log-loss on validation cases, and the losses of all fits.

    Args:
        fits: Fits in ascending order of C, such as the iterator of `lasso_path`; only the best is kept.
        features: float32 or float64 array of shape (n, p), standardized as the training cases.
        targets: 0/1 array of shape (n,) with both classes.

    Returns:
        The best fit, and the losses as a float64 array with one value per fit.

    Raises:
        UserError: If there is no fit, or the targets are not 0 and 1.
    """
    best, losses = None, []
    for fit in fits:
        losses.append(mean_log_loss(fit, features, targets))
        if best is None or losses[-1] < min(losses[:-1]):
            best = fit
    if best is None:
        raise UserError("`fits` is empty: the path needs at least one value of C")
    return best, np.array(losses)


def cross_validate(
    pixels: np.ndarray,
    targets,
    groups,
    values: Sequence[float],
    folds: int = 5,
    seed: int = 0,
    progress: Callable[[int, int, LassoFit, float], None] | None = None,
    **options,
) -> CrossValidation:
    """Estimate the log-loss at each C by cross-validation in which no group is split.

    Args:
        pixels: Array of shape (n, ...), not standardized, such as uint8 of shape (n, height, width).
        targets: 0/1 array of shape (n,).
        groups: Group (patient) of each case, shape (n,). Rotated copies of an image belong to its group.
        values: Ascending values of C.
        folds: Number of folds, at least 2; each needs both classes.
        seed: Seed of the folds.
        progress: Called with fold, step (both from 0), fit and its loss. An exception it raises stops the computation.
        **options: Further arguments of `fit_lasso`.

    Returns:
        The `CrossValidation`.

    Raises:
        UserError: If the values do not ascend, or a fold lacks a class.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    values, targets = np.asarray(values, np.float64), np.asarray(targets)
    require(values.ndim == 1 and len(values) > 0 and bool((np.diff(values) > 0).all()), "values", "ascending", values)
    class_signs(targets, len(pixels))
    require(2 <= folds <= len(np.unique(groups)), "folds", "between 2 and the number of groups", folds)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    losses, optimal = np.empty((folds, len(values))), np.empty((folds, len(values)), bool)
    for fold, (train, left_out) in enumerate(splitter.split(np.zeros(len(targets)), targets, groups)):
        if len(np.unique(targets[train])) < 2 or len(np.unique(targets[left_out])) < 2:
            raise UserError(f"Fold {fold + 1} of {folds} has cases of one class only. Use fewer `folds`")
        standard = fit_standardization(pixels[train])
        inside, outside = standard.transform(pixels[train]), standard.transform(pixels[left_out])
        for step, fit in enumerate(lasso_path(inside, targets[train], values, **options)):
            losses[fold, step] = mean_log_loss(fit, outside, targets[left_out])
            optimal[fold, step] = fit.certificate.optimal
            if progress is not None:
                progress(fold, step, fit, float(losses[fold, step]))
    mean = losses.mean(0)
    least = int(mean.argmin())
    limit = mean[least] + losses[:, least].std(ddof=1) / np.sqrt(folds)
    return CrossValidation(values, losses, optimal, float(values[least]), float(values[mean <= limit][0]))
