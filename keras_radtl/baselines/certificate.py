"""Certificate of a logistic lasso or elastic net: how far a solution can be from the optimum, whatever solver found it.

The problem, in scikit-learn's convention, with signs s_i = +1 or -1 and an intercept b that is not penalized:

    minimize  P(w, b) = C sum_i log(1 + exp(-s_i (x_i w + b))) + r |w|_1 + (1 - r) / 2 |w|_2^2

with r = `l1_ratio`, 1 for the lasso. Its dual has one variable t_i in [0, 1] per case, and sum_i t_i s_i = 0 because of
the intercept:

    maximize  D(t) = C sum_i H(t_i) - sum_j max(|v_j| - r, 0)^2 / (2 (1 - r)),   v = C sum_i t_i s_i x_i

where H is the entropy; for the lasso, the second term is replaced by the constraint |v_j| <= 1. D(t) <= P(w, b) for
every feasible t, so the gap P - D bounds the distance of the objective from its minimum. The point t is made from the
residuals of the solution: first the class with the larger sum is scaled down to the other's, then all are scaled, for
the lasso until max |v_j| <= 1, for the elastic net by the factor in [0, 1] of largest D. At the optimum both factors
are 1 and the gap is 0.

All sums are in float64, block by block, so the matrix is never copied.

Reference: Boyd and Vandenberghe, Convex Optimization (2004), section 5.5; Koh, Kim and Boyd, JMLR 8 (2007) 1519-1555,
section 3, for the logistic lasso; Tibshirani, Electronic Journal of Statistics 7 (2013) 1456-1490, for the bound of the
number of nonzero coefficients.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import entr, expit

from keras_radtl.config.errors import UserError, require

TOLERANCE = 1e-3  # largest relative gap of a solution that is called optimal
_ROWS, _COLUMNS = 64, 4096  # of a block that is converted to float64; it fits into the processor's cache


@dataclass(frozen=True)
class Certificate:
    """What can be proved about a solution.

    Attributes:
        C: Weight of the log-losses, above 0.
        l1_ratio: Share r of the 1-norm in the penalty, in (0, 1].
        objective: P, the objective at the solution.
        dual_objective: D, a lower bound of the smallest possible objective.
        duality_gap: P - D, at least 0. The objective exceeds the optimum by at most this.
        relative_gap: (P - D) / P, in [0, 1].
        max_kkt_violation: Largest distance of 0 from a subgradient of P: over the coefficients, and for the intercept.
        sparsity: Share of coefficients that are exactly 0.
        sparsity_bound: The least sparsity of a lasso optimum, 1 - n / p (at least 0), if features are in general
            position. None for the elastic net.
        tolerance: Largest relative gap of an optimal solution.
        optimal: Whether the relative gap is at most the tolerance.
    """

    C: float
    l1_ratio: float
    objective: float
    dual_objective: float
    duality_gap: float
    relative_gap: float
    max_kkt_violation: float
    sparsity: float
    sparsity_bound: float | None
    tolerance: float
    optimal: bool


def certify(
    features: np.ndarray,
    targets,
    coef: np.ndarray,
    intercept: float,
    C: float,
    l1_ratio: float = 1.0,
    tolerance: float = TOLERANCE,
) -> Certificate:
    """Compute the certificate of any coefficients.

    Args:
        features: float32 or float64 array of shape (n, p), as the solution was fitted on.
        targets: 0/1 array of shape (n,) with both classes.
        coef: Array of shape (p,).
        intercept: The intercept b.
        C: Weight of the log-losses, above 0.
        l1_ratio: Share of the 1-norm in the penalty, in (0, 1].
        tolerance: Largest relative gap of an optimal solution, in (0, 1).

    Returns:
        The `Certificate`.

    Raises:
        UserError: If an argument is out of range, shapes differ, a class is missing or a value is not finite.
    """
    signs = check_problem(features, targets, C, l1_ratio)
    coef = np.asarray(coef, np.float64).ravel()
    require(len(coef) == features.shape[1], "coef", f"of length {features.shape[1]}", len(coef))
    require(0 < tolerance < 1, "tolerance", "in (0, 1)", tolerance)
    scores = linear_scores(features, coef, intercept)
    residuals = signs * expit(-signs * scores)
    dual = dual_point(signs, scores)
    products = np.stack([residuals, signs * dual], 1)
    gradient, correlation = C * transposed_product(features, products).T
    if not (np.isfinite(scores).all() and np.isfinite(correlation).all()):
        raise UserError("`features`, `coef` and `intercept` must be finite. Received: nan or inf")
    primal = primal_objective(signs, scores, coef, C, l1_ratio)
    gap, bound = duality_gap(primal, dual, correlation, C, l1_ratio)
    n, p = features.shape
    return Certificate(
        C=float(C),
        l1_ratio=float(l1_ratio),
        objective=primal,
        dual_objective=bound,
        duality_gap=gap,
        relative_gap=gap / primal,
        max_kkt_violation=_kkt_violation(gradient, coef, C * residuals.sum(), l1_ratio),
        sparsity=float(np.mean(coef == 0)),
        sparsity_bound=max(0.0, 1 - n / p) if l1_ratio == 1 else None,
        tolerance=tolerance,
        optimal=bool(gap <= tolerance * primal),
    )


def check_problem(features: np.ndarray, targets, C: float, l1_ratio: float) -> np.ndarray:
    """Check the data and the constants of a problem, and return the signs of the classes, -1.0 or 1.0.

    Raises:
        UserError: If an argument is out of range, shapes differ or a class is missing.
    """
    require(np.ndim(features) == 2, "features", "an array of shape (n, p)", np.shape(features))
    require(features.dtype in (np.float32, np.float64), "features", "float32 or float64", features.dtype.name)
    require(bool(np.isfinite(C)) and C > 0, "C", "a number above 0", C)
    require(0 < l1_ratio <= 1, "l1_ratio", "in (0, 1]", l1_ratio)
    return class_signs(targets, len(features))


def class_signs(targets, cases: int) -> np.ndarray:
    """Return -1.0 for target 0 and 1.0 for target 1.

    Raises:
        UserError: If there are not as many targets as cases, a target is neither 0 nor 1, or a class is missing.
    """
    targets = np.asarray(targets)
    require(targets.shape == (cases,), "targets", f"of shape ({cases},)", targets.shape)
    found = np.unique(targets)
    require(bool(np.isin(found, (0, 1)).all()), "targets", "0 or 1", found[:5].tolist())
    if len(found) < 2:
        raise UserError(f"`targets` must contain both classes. Received: {cases} cases of class {found.tolist()}")
    return np.where(targets == 1, 1.0, -1.0)


def primal_objective(signs: np.ndarray, scores: np.ndarray, coef: np.ndarray, C: float, l1_ratio: float) -> float:
    """Return P for linear scores x_i w + b of shape (n,)."""
    losses = np.logaddexp(0, -signs * scores).sum()
    return float(C * losses + l1_ratio * np.abs(coef).sum() + (1 - l1_ratio) / 2 * (coef @ coef))


def dual_point(signs: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return t of shape (n,) in [0, 1] with equal sums in both classes, from the residuals at linear scores."""
    dual = expit(-signs * scores)
    positive = signs > 0
    sums = dual[positive].sum(), dual[~positive].sum()
    least = min(sums)
    for members, total in zip((positive, ~positive), sums, strict=True):
        dual[members] *= least / total if total > 0 else 0.0
    return dual


def duality_gap(
    primal: float, dual: np.ndarray, correlation: np.ndarray, C: float, l1_ratio: float
) -> tuple[float, float]:
    """Return the gap P - D and D, for t of `dual_point` and its v = C sum_i t_i s_i x_i of shape (p,)."""
    steepness = np.abs(correlation)

    def bound(factor: float) -> float:
        value = float(C * (entr(factor * dual).sum() + entr(1 - factor * dual).sum()))
        excess = np.maximum(factor * steepness - l1_ratio, 0)
        return value - float(excess @ excess) / (2 * (1 - l1_ratio)) if l1_ratio < 1 else value

    if l1_ratio == 1:
        best = bound(1 / max(1.0, float(steepness.max(initial=0.0))))
    else:
        scaled = minimize_scalar(lambda factor: -bound(factor), bounds=(0, 1), method="bounded")
        best = max(bound(1.0), -float(scaled.fun))
    best = max(best, 0.0)  # t = 0
    return max(primal - best, 0.0), best


def linear_scores(features: np.ndarray, coef: np.ndarray, intercept: float) -> np.ndarray:
    """Return x_i w + b as a float64 array of shape (n,)."""
    scores, support = np.full(len(features), float(intercept)), np.flatnonzero(coef)
    for rows in _parts(len(features), _ROWS):
        for part in _parts(len(support), _COLUMNS):
            columns = support[part]
            scores[rows] += features[rows, columns].astype(np.float64) @ coef[columns]
    return scores


def transposed_product(features: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the product of the transposed features with a float64 array of shape (n, k), of shape (p, k)."""
    total, factor = np.zeros((columns.shape[1], features.shape[1])), np.ascontiguousarray(columns.T)
    for part in _parts(features.shape[1], _COLUMNS):
        for rows in _parts(len(features), _ROWS):
            total[:, part] += factor[:, rows] @ features[rows, part].astype(np.float64)
    return total.T


def _parts(length: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, length, size))


def _kkt_violation(gradient: np.ndarray, coef: np.ndarray, intercept_gradient: float, l1_ratio: float) -> float:
    """Return the largest distance of 0 from the subgradients; `gradient` is C sum_i (y_i - p_i) x_i."""
    smooth = gradient - (1 - l1_ratio) * coef
    at_zero = np.maximum(np.abs(smooth) - l1_ratio, 0)
    violation = np.where(coef == 0, at_zero, np.abs(smooth - l1_ratio * np.sign(coef)))
    return float(max(violation.max(initial=0.0), abs(intercept_gradient)))
