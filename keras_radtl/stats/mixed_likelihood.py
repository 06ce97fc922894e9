"""Profile deviance of a linear mixed model for maximum likelihood (ML) and restricted maximum likelihood (REML).

The profile deviance is minus twice the (restricted) log-likelihood, profiled over the fixed effects and the residual
variance. It is minimized by Newton's method with exact derivatives from several starting points. The optimality
conditions are verified at the end: zero gradient for theta > 0, nonnegative gradient in phi at theta = 0.

Reference: Bates, Maechler, Bolker, Walker (2015), Fitting Linear Mixed-Effects Models Using lme4, J. Stat. Softw.
67(1), equations 34 and 42.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from keras_radtl.stats.variance_components import CrossProducts, expand, weigh

STARTS = (1.0, 0.1, 10.0)  # starting points: relative standard deviations, the same for all factors
LARGEST_THETA = 1e6  # above it the residual variance is numerically zero
SEVERAL_STARTS_BELOW = 400  # use one starting point if the factors except the largest have this many levels or more
ITERATIONS = 200


class Term(NamedTuple):
    """A scalar with its gradient, shape (K,), and Hessian, shape (K, K), in phi."""

    value: float
    gradient: np.ndarray
    hessian: np.ndarray


class Parts(NamedTuple):
    """The terms of the profile deviance and of the degrees of freedom, evaluated at one phi.

    Attributes:
        log_determinant: log |V|.
        information: log |X'WX|.
        residual: penalized residual sum of squares r^2 = (y - Xb)'W(y - Xb) at the generalized least-squares b.
        coefficients: float64 array of shape (p,), the generalized least-squares b.
        inverse: float64 array of shape (p, p), (X'WX)^-1.
        inverse_gradient: float64 array of shape (K, p, p), derivatives of `inverse` in phi.
        scores: one float64 array of shape (levels,) per factor, Z_k'W(y - Xb); multiplied by phi_k they are the
            predicted random effects.
    """

    log_determinant: Term
    information: Term
    residual: Term
    coefficients: np.ndarray
    inverse: np.ndarray
    inverse_gradient: np.ndarray
    scores: tuple[np.ndarray, ...]


class Solution(NamedTuple):
    """Result of the minimization: theta, the deviance there, and whether the optimality conditions hold."""

    theta: np.ndarray
    deviance: float
    converged: bool


def parts(cross: CrossProducts, phi: np.ndarray) -> Parts:
    """Evaluate the terms of the likelihood with first and second derivatives at `phi`, shape (K,)."""
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
    """Return (X'WX)^-1, the generalized least-squares coefficients and the residual sum of squares."""
    inverse = np.linalg.inv(gram[:-1, :-1])
    coefficients = inverse @ gram[:-1, -1]
    return inverse, coefficients, float(gram[-1, -1] - coefficients @ gram[:-1, -1])


def degrees_of_freedom(cross: CrossProducts, reml: bool) -> int:
    """Return the divisor of the residual sum of squares in the residual variance: n - p for REML, n for ML."""
    return cross.rows - reml * (len(cross.fixed) - 1)


def deviance(cross: CrossProducts, theta: np.ndarray, reml: bool) -> float:
    """Return the profile deviance at relative standard deviations `theta`, shape (K,)."""
    weighted = weigh(cross, np.square(theta))
    residual = _solve_fixed(weighted.gram)[2]
    freedom = degrees_of_freedom(cross, reml)
    if residual <= 0:
        return np.inf
    value = weighted.log_determinant + freedom * (1 + np.log(2 * np.pi * residual / freedom))
    return value + np.linalg.slogdet(weighted.gram[:-1, :-1])[1] if reml else value


def profile(cross: CrossProducts, theta: np.ndarray, reml: bool) -> Term:
    """Return the profile deviance with gradient and Hessian in phi at relative standard deviations `theta`."""
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


def minimize_deviance(cross: CrossProducts, reml: bool) -> Solution:
    """Find the relative standard deviations that minimize the profile deviance.

    Raises:
        ValueError: if the deviance is unbounded because the residual variance is zero.
    """
    starts = STARTS if len(cross.rest) < SEVERAL_STARTS_BELOW else STARTS[:1]
    solutions = [_newton(cross, reml, np.full(len(cross.blocks), start)) for start in starts]
    return min(solutions, key=lambda solution: (not solution.converged, solution.deviance))


def _newton(cross: CrossProducts, reml: bool, theta: np.ndarray) -> Solution:
    """Run a projected Newton method on theta >= 0 that replaces the Hessian's eigenvalues by their absolute values."""
    at = profile(cross, theta, reml)
    decrement = np.inf
    for _ in range(ITERATIONS):
        step, expected = _direction(theta, at)
        found = None if expected < _precision(at) else _line_search(cross, reml, theta, at, step)
        if found is None:
            # The expected decrease is below the rounding error of the deviance. Newton steps still square the error,
            # so they are accepted without a line search as long as the expected decrease shrinks.
            if expected >= min(decrement / 4, 1e-4):
                break
            found = np.maximum(theta + step, 0)
        theta, decrement = found, expected
        if theta.max() > LARGEST_THETA:
            raise ValueError("the residual variance must be > 0: the model fits the response exactly")
        at = profile(cross, theta, reml)
    theta, at = _snap_to_zero(cross, reml, theta, at)
    return Solution(theta, at.value, bool(_direction(theta, at)[1] < _precision(at)))


def _precision(at: Term) -> float:
    """Return the expected decrease of the deviance below which a point is an optimum."""
    return 1e-9 * max(1.0, abs(at.value))


def _direction(theta: np.ndarray, at: Term) -> tuple[np.ndarray, float]:
    """Return a descent step in theta and twice the expected decrease, which is 0 at a constrained optimum."""
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
    # Release a factor at zero if the deviance decreases in phi. The slope in theta is zero there and would not show it.
    released = ~free & (at.gradient < -1e-9 * _gradient_size(at))
    curvature = np.maximum(np.diag(at.hessian)[released], 1e-300)
    leap = np.minimum(-at.gradient[released] / curvature, 1e-2)
    step[released] = np.sqrt(leap)
    return step, expected + float(-at.gradient[released] @ leap)


def _gradient_size(at: Term) -> float:
    """Return the scale of gradient entries, relative to which rounding error is judged."""
    return max(1.0, float(np.abs(at.gradient).max()))


def _line_search(cross: CrossProducts, reml: bool, theta: np.ndarray, at: Term, step: np.ndarray) -> np.ndarray | None:
    """Halve the step until the deviance decreases; return the new theta, or None if it never decreases."""
    length = 1.0
    while length > 1e-10:
        candidate = np.maximum(theta + length * step, 0)
        if deviance(cross, candidate, reml) < at.value:
            return candidate
        length /= 2
    return None


def _snap_to_zero(cross: CrossProducts, reml: bool, theta: np.ndarray, at: Term) -> tuple[np.ndarray, Term]:
    """Set tiny relative standard deviations to zero if that does not increase the deviance."""
    snapped = np.where((theta < 1e-5) & (at.gradient > 0), 0.0, theta)
    if np.array_equal(snapped, theta):
        return theta, at
    there = profile(cross, snapped, reml)
    return (snapped, there) if there.value <= at.value + 1e-9 * max(1.0, abs(at.value)) else (theta, at)
