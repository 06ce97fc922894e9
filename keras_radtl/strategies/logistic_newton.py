"""Newton's method for several logistic regressions on the same rows, solved side by side.

The fits differ in the weights of the rows (a cross-validation leaves out other cases in each) and in the
standardisation of the columns, which is an affine change of the shared matrix. Every product with the matrix serves all
fits, and they share one preconditioner: a Cholesky factor of the mean of their Hessians at the start.

Reference: Nocedal and Wright, Numerical Optimization, 2nd edition, section 7.1 (line search Newton-CG).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from keras_radtl.config import UserError

_STEPS, _PRODUCTS = 100, 300  # of Newton's method, and of conjugate gradients in one step
_CONSTANT = 1e-6  # a feature whose standard deviation is smaller, relative to its mean, is rounding noise


class Point(NamedTuple):
    """Coefficients of standardised features, float64 (n_features, fits, k), and intercepts, float64 (fits, k)."""

    weights: np.ndarray
    bias: np.ndarray

    def plus(self, step, other: Point) -> Point:
        """Return the point plus a step, one number per fit, times another."""
        step = np.reshape(step, (-1, 1))
        return Point(self.weights + step * other.weights, self.bias + step * other.bias)

    def dot(self, other: Point) -> np.ndarray:
        """Return the inner product of each fit, of shape (fits,)."""
        return np.einsum("pfk,pfk->f", self.weights, other.weights) + (self.bias * other.bias).sum(axis=1)

    def largest(self) -> np.ndarray:
        """Return the largest absolute value of each fit, of shape (fits,)."""
        return np.maximum(np.abs(self.weights).max(axis=(0, 2)), np.abs(self.bias).max(axis=1))


@dataclass(frozen=True)
class Optimum:
    """The solutions of some fits for one strength.

    Attributes:
        point: The solutions.
        gradient_norm: Largest absolute value of each gradient, of shape (fits,).
        objective: Value of each objective, of shape (fits,).
        steps: Number of Newton steps.
    """

    point: Point
    gradient_norm: np.ndarray
    objective: np.ndarray
    steps: int


def scale_of(matrix: np.ndarray) -> np.ndarray:
    """Return the standard deviation of each column, or 1 if the column is constant up to rounding."""
    deviation = matrix.std(axis=0)
    constant = deviation <= _CONSTANT * np.abs(matrix.mean(axis=0))
    return np.where(constant | (deviation == 0), 1.0, deviation)


def log_loss(logits: np.ndarray, outcome: np.ndarray, softmax: bool) -> np.ndarray:
    """Return the log-loss of each row.

    Args:
        logits: float64 array of shape (..., k).
        outcome: Array of 0 and 1 of a shape that can be broadcast to that of `logits`.
        softmax: Whether the k logits are those of a softmax.
    Returns:
        Array of shape (..., 1) for a softmax, else of the shape of `logits`.
    """
    if not softmax:
        return np.logaddexp(0, logits) - outcome * logits
    highest = logits.max(axis=-1, keepdims=True)
    total = highest + np.log(np.exp(logits - highest).sum(axis=-1, keepdims=True))
    return total - (outcome * logits).sum(axis=-1, keepdims=True)


class Fits:
    """Penalised logistic regressions on the rows of one matrix.

    Args:
        matrix: float64 array of shape (n_rows, n_features).
        outcome: float64 array of shape (n_rows, k) of 0 and 1.
        weights: float64 array of shape (n_rows, fits, k), or (n_rows, fits, 1) for a softmax; their sum over the rows
            is 1. Rows of weight 0 are outside of a fit, also for its standardisation.
        softmax: Whether the k logits are those of a softmax.
    """

    def __init__(self, matrix: np.ndarray, outcome: np.ndarray, weights: np.ndarray, softmax: bool):
        self.matrix, self.softmax = matrix, softmax
        self._outcome, self._weights = outcome[:, None, :], weights
        moments = []
        for fit in range(weights.shape[1]):
            rows = matrix[weights[:, fit].any(axis=1)]
            moments.append((rows.mean(axis=0), scale_of(rows)))
        self._mean, self._scale = (np.stack(part, axis=1)[:, :, None] for part in zip(*moments, strict=True))

    def zero(self) -> Point:
        """Return the point of zeros."""
        fits, k = self._weights.shape[1], self._outcome.shape[2]
        return Point(np.zeros((self.matrix.shape[1], fits, k)), np.zeros((fits, k)))

    def logits(self, point: Point, matrix: np.ndarray | None = None) -> np.ndarray:
        """Return the logits by all fits, float64 of shape (n_rows, fits, k), of all rows or those of another matrix."""
        scaled, bias = self.unstandardised(point)
        matrix = self.matrix if matrix is None else matrix
        return (matrix @ scaled.reshape(len(scaled), -1)).reshape(-1, *bias.shape) + bias

    def unstandardised(self, point: Point) -> Point:
        """Return coefficients and intercepts for the columns of the matrix as they are."""
        scaled = point.weights / self._scale
        return Point(scaled, point.bias - (self._mean * scaled).sum(axis=0))

    def solve(self, l2: float, start: Point, tolerance: float) -> Optimum:
        """Return the optimum of each fit.

        Args:
            l2: Strength of the penalty.
            start: Where to start.
            tolerance: Largest absolute value of each gradient at the solution.
        Raises:
            UserError: If a gradient does not vanish.
        """
        point, logits, precondition = start, self.logits(start), None
        for step in range(_STEPS):
            gradient, p = self._gradient(point, logits, l2)
            if gradient.largest().max() <= tolerance:
                logits = self.logits(point)  # without the rounding errors of the updates
                norm = self._gradient(point, logits, l2)[0].largest()
                if norm.max() <= tolerance:
                    return Optimum(point, norm, self._objective(point, logits, l2), step)
            precondition = precondition or self._preconditioner(p, l2)
            direction, change = self._direction(gradient, p, l2, precondition, gradient.largest() > tolerance)
            length = self._lengths(point, logits, direction, change, gradient, l2)
            point, logits = point.plus(length, direction), logits + length[:, None] * change
        worst = gradient.largest().max()
        raise UserError(f"The probe did not converge with l2={l2:g}: its gradient is {worst:.1g} after {_STEPS} steps")

    def _objective(self, point: Point, logits: np.ndarray, l2: float) -> np.ndarray:
        loss = (self._weights * log_loss(logits, self._outcome, self.softmax)).sum(axis=(0, 2))
        return loss + l2 / 2 * np.square(point.weights).sum(axis=(0, 2))

    def _gradient(self, point: Point, logits: np.ndarray, l2: float) -> tuple[Point, np.ndarray]:
        """Return the gradients and the probabilities of all rows."""
        if self.softmax:
            p = np.exp(logits - logits.max(axis=2, keepdims=True))
            p /= p.sum(axis=2, keepdims=True)
        else:
            p = 0.5 * (1 + np.tanh(0.5 * logits))
        return self._back(self._weights * (p - self._outcome), point, l2), p

    def _back(self, residual: np.ndarray, point: Point, l2: float) -> Point:
        """Return the derivative of (residual . logits) + l2 / 2 * ||W||^2 at a point."""
        total = residual.sum(axis=0)
        product = (self.matrix.T @ residual.reshape(len(residual), -1)).reshape(-1, *total.shape)
        return Point((product - self._mean * total) / self._scale + l2 * point.weights, total)

    def _preconditioner(self, p: np.ndarray, l2: float):
        """Return a function that multiplies points by the inverse of an approximate Hessian, the mean of all fits."""
        bend = (self._weights * p * (1 - p)).mean(axis=(1, 2))
        curvature = max(bend.sum(), 1e-12)
        inverse = _inverse(np.float32(self.matrix * np.sqrt(bend)[:, None]), l2)

        def precondition(point: Point) -> Point:
            flat = inverse(point.weights.reshape(len(point.weights), -1))
            return Point(flat.reshape(point.weights.shape), point.bias / curvature)

        return precondition

    def _direction(self, gradient: Point, p, l2: float, precondition, active) -> tuple[Point, np.ndarray]:
        """Solve Hessian * direction = -gradient by conjugate gradients.

        Returns:
            The directions, zero for fits that are not active, and the change of the logits along them.
        """
        residual = gradient.plus(-2.0, gradient)
        direction, change = self.zero(), np.zeros(p.shape)
        along = precondition(residual)
        product = residual.dot(along)
        goal = np.square(np.minimum(0.1, np.sqrt(gradient.largest()))) * product
        for _ in range(_PRODUCTS):
            active = active & (product > goal)
            if not active.any():
                break
            moved = self.logits(along)
            curved = self._back(self._weights * self._curvature(moved, p), along, l2)
            length = np.where(active, product / np.where(active, along.dot(curved), 1.0), 0.0)
            direction, change = direction.plus(length, along), change + length[:, None] * moved
            residual = residual.plus(-length, curved)
            conditioned = precondition(residual)
            before, product = product, np.where(active, residual.dot(conditioned), product)
            along = conditioned.plus(product / before, along)
        return direction, change

    def _curvature(self, moved: np.ndarray, p: np.ndarray) -> np.ndarray:
        """Return the second derivative of the loss of each row times a change of its logits."""
        if self.softmax:
            return p * (moved - (p * moved).sum(axis=2, keepdims=True))
        return p * (1 - p) * moved

    def _lengths(self, point: Point, logits, direction: Point, change, gradient: Point, l2: float) -> np.ndarray:
        """Return step lengths with sufficient decrease (Armijo), which needs no product with the matrix."""
        value, slope = self._objective(point, logits, l2), gradient.dot(direction)
        length = np.ones(len(value))
        for _ in range(30):
            moved = self._objective(point.plus(length, direction), logits + length[:, None] * change, l2)
            short = moved > value + 1e-4 * length * slope + 1e-13 * np.abs(value)
            if not short.any():
                break
            length = np.where(short, length / 2, length)
        return length


def _inverse(roots: np.ndarray, l2: float):
    """Return a function that multiplies a matrix by the inverse of roots^T roots + l2 I.

    The smaller of the two Gram matrices is factored; with fewer rows than columns, by Woodbury's identity.

    Args:
        roots: float32 array of shape (n_rows, n_features).
        l2: Strength of the penalty, positive.
    """
    from scipy.linalg import cho_factor, cho_solve

    wide = len(roots) < roots.shape[1]
    gram = (roots @ roots.T if wide else roots.T @ roots).astype(np.float64)
    gram[np.diag_indices_from(gram)] += l2
    factor = cho_factor(gram, overwrite_a=True, check_finite=False)
    if not wide:
        return lambda values: cho_solve(factor, values, check_finite=False)

    def apply(values: np.ndarray) -> np.ndarray:
        inner = cho_solve(factor, roots @ np.float32(values), check_finite=False)
        return (values - roots.T @ np.float32(inner)) / l2

    return apply
