"""Profiled REML and ML criterion of a linear mixed model, and the search for its optimum.

The criterion is minus twice the (restricted) log-likelihood, profiled over the fixed effects and the residual variance.
Newton's method with exact derivatives runs from several starts; the conditions of an optimum (gradient zero inside,
gradient in phi not negative at theta = 0) are checked and not assumed.

Reference: Bates, Maechler, Bolker, Walker (2015), Fitting Linear Mixed-Effects Models Using lme4, J. Stat. Softw.
67(1), equations 34 and 42.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from keras_radtl.stats.variance_components import CrossProducts, expand, weigh

STARTS = (1.0, 0.1, 10.0)  # relative standard deviations that the search begins with, each for all factors
LARGEST_THETA = 1e6  # beyond it the residual variance is zero for all that double precision can tell
SEVERAL_STARTS_BELOW = 400  # levels beside the largest factor, above which one start has to do
ITERATIONS = 200


class Term(NamedTuple):
    """A scalar with its gradient (K,) and Hessian (K, K) in phi."""

    value: float
    gradient: np.ndarray
    hessian: np.ndarray


class Parts(NamedTuple):
    """What criterion and degrees of freedom are made of, at one phi.

    Attributes:
        log_determinant: log |V|.
        information: log |X'WX|.
        residual: penalised residual sum of squares r^2 = (y - Xb)'W(y - Xb) at the best b.
        coefficients: float64 (p,), that b.
        inverse: float64 (p, p), (X'WX)^-1.
        inverse_gradient: float64 (K, p, p), its derivatives in phi.
        scores: one float64 (levels,) per factor, Z_k'W(y - Xb); times phi_k the predicted random effects.
    """

    log_determinant: Term
    information: Term
    residual: Term
    coefficients: np.ndarray
    inverse: np.ndarray
    inverse_gradient: np.ndarray
    scores: tuple[np.ndarray, ...]


class Solution(NamedTuple):
    """Where the search ended: theta (K,), the criterion there, and whether the conditions of an optimum hold."""

    theta: np.ndarray
    criterion: float
    converged: bool


def parts(cross: CrossProducts, phi: np.ndarray) -> Parts:
    """Evaluate the parts of the likelihood with first and second derivatives at `phi` (K,)."""
    weighted = weigh(cross, phi)
    expansion = expand(cross, weighted)
    inverse, coefficients, residual = _solve_fixed(weighted.gram)
    contrast = np.append(-coefficients, 1.0)
    gradient, hessian = expansion.gram_gradient, expansion.gram_hessian
    applied = gradient @ contrast  # (K, p + 1)
    slopes = gradient[:, :-1, :-1] @ inverse  # (K, p, p)
    information = Term(
        -np.linalg.slogdet(inverse)[1] if len(inverse) else 0.0,
        np.trace(slopes, axis1=1, axis2=2),
        np.einsum("klij,ji->kl", hessian[:, :, :-1, :-1], inverse) - np.einsum("kij,lji->kl", slopes, slopes),
    )
    curvature = hessian @ contrast @ contrast
    moved = applied[:, :-1]
    return Parts(
        Term(weighted.log_determinant, expansion.log_determinant_gradient, expansion.log_determinant_hessian),
        information,
        Term(residual, applied @ contrast, curvature - 2 * moved @ inverse @ moved.T),
        coefficients,
        inverse,
        -inverse @ slopes,
        tuple(moments @ contrast for moments in weighted.random),
    )


def _solve_fixed(gram: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return (X'WX)^-1, the generalised least-squares coefficients and the residual sum of squares."""
    inverse = np.linalg.inv(gram[:-1, :-1])
    coefficients = inverse @ gram[:-1, -1]
    return inverse, coefficients, float(gram[-1, -1] - coefficients @ gram[:-1, -1])


def degrees_of_freedom(cross: CrossProducts, reml: bool) -> int:
    """Return the divisor of the residual sum of squares: n - p for REML, n for ML."""
    return cross.rows - reml * (len(cross.fixed) - 1)


def criterion(cross: CrossProducts, theta: np.ndarray, reml: bool) -> float:
    """Return minus twice the profiled (restricted) log-likelihood at relative standard deviations `theta` (K,)."""
    weighted = weigh(cross, np.square(theta))
    residual = _solve_fixed(weighted.gram)[2]
    freedom = degrees_of_freedom(cross, reml)
    if residual <= 0:
        return np.inf
    value = weighted.log_determinant + freedom * (1 + np.log(2 * np.pi * residual / freedom))
    return value + np.linalg.slogdet(weighted.gram[:-1, :-1])[1] if reml else value


def profile(cross: CrossProducts, theta: np.ndarray, reml: bool) -> Term:
    """Return the profiled criterion with gradient and Hessian in phi at `theta` (K,)."""
    at = parts(cross, np.square(theta))
    freedom = degrees_of_freedom(cross, reml)
    relative = at.residual.gradient / at.residual.value
    value = at.log_determinant.value + freedom * (1 + np.log(2 * np.pi * at.residual.value / freedom))
    gradient = at.log_determinant.gradient + freedom * relative
    curvature = at.residual.hessian / at.residual.value - np.outer(relative, relative)
    hessian = at.log_determinant.hessian + freedom * curvature
    if reml:
        value = value + at.information.value
        gradient = gradient + at.information.gradient
        hessian = hessian + at.information.hessian
    return Term(value, gradient, hessian)


def minimise(cross: CrossProducts, reml: bool) -> Solution:
    """Find the relative standard deviations that minimise the criterion, from several starts while that is cheap.

    Raises:
        ValueError: if the criterion falls without bound because no residual variance is left.
    """
    starts = STARTS if len(cross.rest) < SEVERAL_STARTS_BELOW else STARTS[:1]
    solutions = [_newton(cross, reml, np.full(len(cross.blocks), start)) for start in starts]
    return min(solutions, key=lambda solution: (not solution.converged, solution.criterion))


def _newton(cross: CrossProducts, reml: bool, theta: np.ndarray) -> Solution:
    """Run a projected Newton method in theta >= 0; steps follow the Hessian's absolute eigenvalues."""
    at = profile(cross, theta, reml)
    decrement = np.inf
    for _ in range(ITERATIONS):
        step, expected = _direction(theta, at)
        found = None if expected < _precision(at) else _line_search(cross, reml, theta, at, step)
        if found is None:
            # The gain is below what the criterion can show. Newton's steps are then taken on trust, since each squares
            # the error, for as long as the promised gain falls.
            if expected >= min(decrement / 4, 1e-4):
                break
            found = np.maximum(theta + step, 0)
        theta, decrement = found, expected
        if theta.max() > LARGEST_THETA:
            raise ValueError("the residual variance must be > 0: the model reproduces the response exactly")
        at = profile(cross, theta, reml)
    theta, at = _snap_to_zero(cross, reml, theta, at)
    return Solution(theta, at.value, bool(_direction(theta, at)[1] < _precision(at)))


def _precision(at: Term) -> float:
    """Return the gain in the criterion below which a point counts as an optimum."""
    return 1e-9 * max(1.0, abs(at.value))


def _direction(theta: np.ndarray, at: Term) -> tuple[np.ndarray, float]:
    """Return a descent step in theta and twice the gain it promises; 0 exactly at a point that satisfies the bounds."""
    step = np.zeros(len(theta))
    free = theta > 0
    gradient = 2 * theta[free] * at.gradient[free]
    hessian = 4 * np.outer(theta[free], theta[free]) * at.hessian[np.ix_(free, free)] + 2 * np.diag(at.gradient[free])
    values, vectors = np.linalg.eigh(hessian)
    values = np.maximum(np.abs(values), 1e-10 * max(np.abs(values).max(initial=0), 1e-300))
    step[free] = -vectors @ ((vectors.T @ gradient) / values)
    expected = float(-gradient @ step[free])
    longest = np.max(np.abs(step[free]) / (theta[free] + 0.1), initial=0)
    step /= max(1.0, longest / 2)
    # A factor at zero whose criterion falls in phi is let go; a step in theta would not see it, its slope is zero.
    released = ~free & (at.gradient < -1e-9 * _gradient_size(at))
    curvature = np.maximum(np.diag(at.hessian)[released], 1e-300)
    leap = np.minimum(-at.gradient[released] / curvature, 1e-2)
    step[released] = np.sqrt(leap)
    return step, expected + float(-at.gradient[released] @ leap)


def _gradient_size(at: Term) -> float:
    """Return the size of gradient entries that rounding may leave."""
    return max(1.0, float(np.abs(at.gradient).max()))


def _line_search(cross: CrossProducts, reml: bool, theta: np.ndarray, at: Term, step: np.ndarray) -> np.ndarray | None:
    """Halve the step until the criterion falls; return where it fell, or None when it never does."""
    length = 1.0
    while length > 1e-10:
        candidate = np.maximum(theta + length * step, 0)
        if criterion(cross, candidate, reml) < at.value:
            return candidate
        length /= 2
    return None


def _snap_to_zero(cross: CrossProducts, reml: bool, theta: np.ndarray, at: Term) -> tuple[np.ndarray, Term]:
    """Set tiny relative deviations to zero where the criterion does not get worse by it."""
    snapped = np.where((theta < 1e-5) & (at.gradient > 0), 0.0, theta)
    if np.array_equal(snapped, theta):
        return theta, at
    there = profile(cross, snapped, reml)
    return (snapped, there) if there.value <= at.value + 1e-9 * max(1.0, abs(at.value)) else (theta, at)
