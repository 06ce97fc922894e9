"""The default solver: proximal Newton steps on working sets of features.

Each round computes the gradient of all features once. If the duality gap is too large, the nonzero coefficients and
the features whose gradient is largest form the working set. On it, the loss is replaced by its second-order expansion
(weighted least squares, with the intercept eliminated by centring), which scikit-learn's coordinate descent minimizes;
a line search on the true objective follows, until the gap of the working set is a tenth of that of all features.
Memory beyond the matrix is that of a few working sets in float64.

Reference: Friedman, Hastie and Tibshirani, Journal of Statistical Software 33(1) (2010), section 3, for the expansion;
Lee, Sun and Saunders, SIAM Journal on Optimization 24 (2014) 1420-1443, for proximal Newton methods; Johnson and
Guestrin, ICML (2015), for working sets chosen with a duality gap.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from keras_radtl.baselines.certificate import dual_point, duality_gap, primal_objective

_MARGIN = 0.9  # of the tolerance, so that rounding in float32 does not matter
_FIRST = 100  # features that a working set adds at least
_NEWTON_STEPS = 30  # per working set
_SWEEPS = 1000  # of coordinate descent per Newton step
_HALVINGS = 40
_LEAST_WEIGHT = 1e-6  # of a case in a Newton step; p (1 - p) of sure predictions underflows


@dataclass(frozen=True)
class _Problem:
    """The part of a problem that all steps share."""

    signs: np.ndarray
    C: float
    l1_ratio: float

    def objective(self, scores: np.ndarray, coef: np.ndarray) -> float:
        return primal_objective(self.signs, scores, coef, self.C, self.l1_ratio)

    def gap(self, features: np.ndarray, scores: np.ndarray, coef: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the duality gap for these features, and the dual gradient v of shape (p,)."""
        dual = dual_point(self.signs, scores)
        correlation = self.C * (features.T @ (self.signs * dual).astype(features.dtype)).astype(np.float64)
        return duality_gap(self.objective(scores, coef), dual, correlation, self.C, self.l1_ratio)[0], correlation


def solve(
    features: np.ndarray,
    signs: np.ndarray,
    C: float,
    l1_ratio: float,
    tolerance: float,
    rounds: int,
    coef: np.ndarray,
    intercept: float,
) -> tuple[np.ndarray, float, int]:
    """Minimize the objective of `certificate` from given coefficients.

    Args:
        features: float32 or float64 array of shape (n, p).
        signs: float64 array of shape (n,), -1 or 1.
        C: Weight of the log-losses.
        l1_ratio: Share of the 1-norm in the penalty, in (0, 1].
        tolerance: Relative duality gap at which to stop.
        rounds: Largest number of working sets.
        coef: Start, float64 array of shape (p,).
        intercept: Start of the intercept.

    Returns:
        Coefficients (p,), intercept and number of rounds.
    """
    problem, coef = _Problem(signs, C, l1_ratio), coef.copy()
    for number in range(rounds):
        support = np.flatnonzero(coef)
        scores = features[:, support].astype(np.float64) @ coef[support] + intercept
        intercept, scores = _fit_intercept(signs, scores, intercept)
        gap, correlation = problem.gap(features, scores, coef)
        target = _MARGIN * tolerance * problem.objective(scores, coef)
        if not gap > target:
            return coef, intercept, number
        chosen = _working_set(correlation, support)
        columns = np.asarray(features[:, chosen], np.float64, order="F")
        stop = max(0.1 * gap, 0.3 * target)
        coef[chosen], intercept = _minimize(problem, columns, scores, coef[chosen], intercept, stop)
    return coef, intercept, rounds


@contextlib.contextmanager
def convergence_ignored() -> Iterator[None]:
    """Ignore scikit-learn's ConvergenceWarning: whether a fit is optimal is told from its duality gap."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def _fit_intercept(signs: np.ndarray, scores: np.ndarray, intercept: float) -> tuple[float, np.ndarray]:
    """Return the best intercept for fixed coefficients, by Newton's method, and the new scores."""
    for _ in range(50):
        wrong = expit(-signs * scores)
        curvature = float(wrong @ (1 - wrong))
        gradient = float(signs @ wrong)
        if abs(gradient) < 1e-9 * len(signs) or curvature < 1e-9 * len(signs):
            break
        step = float(np.clip(gradient / curvature, -2, 2))
        intercept, scores = intercept + step, scores + step
    return intercept, scores


def _working_set(correlation: np.ndarray, support: np.ndarray) -> np.ndarray:
    """Return the nonzero coefficients and the features of largest gradient, half as many but at least 100."""
    size = min(len(correlation), len(support) + max(_FIRST, len(support) // 2))
    score = np.abs(correlation)
    score[support] = np.inf
    return np.sort(np.argpartition(-score, size - 1)[:size])


def _minimize(
    problem: _Problem, columns: np.ndarray, scores: np.ndarray, coef: np.ndarray, intercept: float, stop: float
) -> tuple[np.ndarray, float]:
    """Minimize over the working set until its duality gap is at most `stop`."""
    accuracy = 0.3  # of a step, relative to the gap
    for _ in range(_NEWTON_STEPS):
        gap, _ = problem.gap(columns, scores, coef)
        if gap <= stop or accuracy < 1e-8:
            break
        new, shift = _newton_step(problem, columns, scores, coef, accuracy * gap)
        change = new - coef
        direction = columns @ change + shift
        step = _line_search(problem, scores, coef, direction, change)
        if not step or not direction.any():
            accuracy /= 100
            continue
        coef = new if step == 1 else coef + step * change
        scores, intercept = scores + step * direction, intercept + step * shift
    return coef, intercept


def _newton_step(
    problem: _Problem, columns: np.ndarray, scores: np.ndarray, coef: np.ndarray, accuracy: float
) -> tuple[np.ndarray, float]:
    """Minimize the second-order expansion; return the new coefficients and the change of the intercept."""
    from sklearn.linear_model import enet_path

    cases = len(scores)
    wrong = expit(-problem.signs * scores)
    weights = np.maximum(wrong * (1 - wrong), _LEAST_WEIGHT)
    gradient = problem.signs * wrong
    centre = gradient.sum() / weights.sum()
    means = weights @ columns / weights.sum()
    design = (columns - means) * np.sqrt(problem.C * weights)[:, None]
    response = design @ coef + np.sqrt(problem.C / weights) * (gradient - weights * centre)
    with convergence_ignored():  # the gap of the working set decides
        _, path, _ = enet_path(
            design,
            response,
            l1_ratio=problem.l1_ratio,
            alphas=[1 / cases],
            precompute=design.T @ design,
            Xy=design.T @ response,
            coef_init=coef.copy(),  # changed in place
            tol=max(accuracy / (response @ response), 1e-15),
            max_iter=_SWEEPS,
        )
    new = path[:, 0]
    return new, float(centre - means @ (new - coef))


def _line_search(
    problem: _Problem, scores: np.ndarray, coef: np.ndarray, direction: np.ndarray, change: np.ndarray
) -> float:
    """Return the first of the steps 1, 1/2, 1/4, ... that does not raise the objective beyond rounding, or 0."""
    limit, step = problem.objective(scores, coef) * (1 + 1e-14), 1.0
    for _ in range(_HALVINGS):
        if problem.objective(scores + step * direction, coef + step * change) <= limit:
            return step
        step /= 2
    return 0.0
