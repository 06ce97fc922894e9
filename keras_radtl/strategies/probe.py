"""The exact probe: logistic regression with an L2 penalty on standardised features, solved to its optimum.

    mean of the log-loss + l2 / 2 * ||W||^2          (the intercept is not penalised)

Two classes have one logit, more classes a softmax, and labels one independent logit each, whose mean is over the cases
where the label is known. The strength `l2` is chosen from a path by cross-validation over the given folds; the last fit
has all cases. Each fit standardises the features of its own cases, and each view (augmented copy) of a case is a row of
the same weight.

Reference: Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 2nd edition, sections 4.4 and 7.10.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keras_radtl.config import UserError
from keras_radtl.strategies.logistic_newton import Fits, Point, log_loss, scale_of
from keras_radtl.strategies.solvers import Solution, SolverSettings

STRENGTHS = tuple(float(f"{10.0 ** (2 - step / 2):.6g}") for step in range(15))  # 100 to 1e-5, strong to weak
TOLERANCE = 1e-9  # largest absolute value of the gradient of the last fit
_PATH_TOLERANCE = 1e-6  # of the fits of the cross-validation


def solve_probe(
    features: Sequence[np.ndarray], targets: np.ndarray, folds: np.ndarray, settings: SolverSettings
) -> Solution:
    """Fit the probe: choose the strength by cross-validation and fit all cases with it.

    Args:
        features: One float array of shape (n, n_features) per view; the first is without augmentation.
        targets: int array of shape (n,), or float array of shape (n, outputs) of 0, 1 and NaN (unknown).
        folds: int array of shape (n,), the inner fold of each case. Cases of one group have the same fold.
        settings: Number and kind of the outputs, case weights, and the rule that chooses the strength.
    Returns:
        The solution. Its certificate has `l2`, `gradient_norm` (largest absolute value, in standardised features),
        `converged`, `newton_steps`, `objective` and `path`.
    Raises:
        UserError: If a feature is not finite, or a fit does not converge.
    """
    import scipy.linalg  # noqa: F401  (its threads are limited, too)
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):  # the bits do not depend on the number of cores
        return _solve(Rows(features, targets, settings), folds, settings.one_standard_error)


def _solve(rows: Rows, folds: np.ndarray, one_standard_error: bool) -> Solution:
    path, found = _path(rows, folds[:, None] == np.unique(folds))
    chosen = _choose(path, one_standard_error)
    logits, points = found[chosen]
    whole = rows.fits(np.ones((rows.cases, 1)))
    start = Point(*(part.mean(axis=-2, keepdims=True) for part in points))
    best = whole.solve(path[chosen]["l2"], start, TOLERANCE)
    certificate = {
        "l2": path[chosen]["l2"],
        "gradient_norm": float(best.gradient_norm[0]),
        "converged": True,
        "newton_steps": best.steps,
        "objective": float(best.objective[0]),
        "path": path,
    }
    raw = rows.unstandardised(whole.unstandardised(best.point))
    return Solution(*(rows.as_outputs(values) for values in (*raw, logits)), certificate, ("l2",))


def _path(rows: Rows, parts: np.ndarray) -> tuple[list[dict], list[tuple[np.ndarray, Point]]]:
    """Fit the cross-validation along the path of strengths.

    Args:
        rows: The rows.
        parts: Boolean array of shape (n, folds), the fold of each case.
    Returns:
        The loss of the held-out cases by strength; and their logits, with the points of the fits.
    """
    fits = rows.fits(~parts)
    point, path, found = fits.zero(), [], []
    for l2 in STRENGTHS:
        point = fits.solve(l2, point, _PATH_TOLERANCE).point
        logits = (fits.logits(point, rows.judged) * parts[:, :, None]).sum(axis=1)
        each = [rows.loss(logits, part) for part in parts.T]
        error = float(np.std(each, ddof=1) / np.sqrt(len(each)))
        path.append({"l2": l2, "loss": rows.loss(logits, np.ones(rows.cases, bool)), "standard_error": error})
        found.append((logits, point))
        best = min(path, key=lambda row: row["loss"])
        if path[-1]["loss"] > best["loss"] + best["standard_error"]:  # weaker penalties fit noise, and cost most
            break
    return path, found


def _choose(path: list[dict], one_standard_error: bool) -> int:
    """Return the position of the chosen strength; the path runs from strong to weak."""
    best = min(range(len(path)), key=lambda i: path[i]["loss"])
    if not one_standard_error:
        return best
    limit = path[best]["loss"] + path[best]["standard_error"]
    return next(i for i, row in enumerate(path) if row["loss"] <= limit)


class Rows:
    """The features of all views of all cases, standardised together, with their targets.

    Args:
        features, targets, settings: As for `solve_probe`.

    Attributes:
        cases: Number n of cases.
        judged: Standardised features by which the cases are predicted, float64 array of shape (n, n_features).
    """

    def __init__(self, features: Sequence[np.ndarray], targets: np.ndarray, settings: SolverSettings):
        self.cases, self._views = len(targets), len(features)
        matrix = np.concatenate([np.asarray(view, np.float64) for view in features])
        if not np.isfinite(matrix).all():
            raise UserError("The features of the backbone are not finite: the model has no usable weights")
        self._mean, self._scale = matrix.mean(axis=0), scale_of(matrix)
        matrix -= self._mean
        matrix /= self._scale
        self._matrix = matrix
        given = features[0] if settings.judged is None else settings.judged
        self.judged = (np.asarray(given, np.float64) - self._mean) / self._scale
        self._binary = settings.outputs == 2 and not settings.multilabel
        self._softmax = not settings.multilabel and not self._binary
        if settings.multilabel:
            known, self._outcome = ~np.isnan(targets), np.nan_to_num(targets).astype(np.float64)
        else:
            known, classes = targets[:, None] >= 0, [1] if self._binary else range(settings.outputs)
            self._outcome = (targets[:, None] == np.array(classes)).astype(np.float64)
        weights = np.ones(1) if settings.weights is None else np.asarray(settings.weights, np.float64)
        self._weights = known * (weights if weights.ndim > 1 else weights[:, None])

    def fits(self, chosen: np.ndarray) -> Fits:
        """Return fits, one per column of `chosen`, an array of shape (n, fits) that is not 0 for the cases of a fit."""
        weights = self._weights[:, None, :] * chosen[:, :, None]
        weights = weights / (weights.sum(axis=0) * self._views)
        repeated = (np.tile(array, (self._views, *[1] * (array.ndim - 1))) for array in (self._outcome, weights))
        return Fits(self._matrix, *repeated, self._softmax)

    def loss(self, logits: np.ndarray, chosen: np.ndarray) -> float:
        """Return the weighted mean log-loss of some cases: a mean over cases, then over labels.

        Args:
            logits: float array of shape (n, k).
            chosen: Boolean array of shape (n,).
        """
        weights = self._weights * chosen[:, None]
        sums = weights.sum(axis=0)
        means = (weights * log_loss(logits, self._outcome, self._softmax)).sum(axis=0)[sums > 0] / sums[sums > 0]
        return float(means.mean())

    def unstandardised(self, point: Point) -> Point:
        """Return coefficients (n_features, k) and intercept (k,) of the first fit for features as they were given."""
        weights = point.weights[:, 0] / self._scale[:, None]
        return Point(weights, point.bias[0] - self._mean @ weights)

    def as_outputs(self, values: np.ndarray) -> np.ndarray:
        """Return values of the k logits as values of the outputs: two classes have -1/2 and 1/2 of the one logit."""
        return np.concatenate([-values, values], axis=-1) / 2 if self._binary else values
