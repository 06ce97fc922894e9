"""Logistic regression by maximum likelihood: pseudo-R2, likelihood-ratio test, and what separation does to both.

Newton's method with step halving runs in an orthonormal basis of the centred features, whose dimension is their rank,
so constant and collinear pixels are handled: of all coefficients with the largest likelihood, those of smallest 2-norm
are returned.

If a hyperplane separates the classes completely, the likelihood has no maximum: it approaches 1 as the coefficients
grow. McFadden's pseudo-R2 then approaches 1 and the likelihood-ratio statistic 2 n H, where H is the entropy of the
prevalence in nats, whatever the images show. These limits are returned, with a note, and values below them in the
literature only say where an optimizer stopped. With quasi-complete separation the likelihood has no maximum either,
and its limit is approached by the returned coefficients.

Reference: McFadden, in Zarembka (ed.), Frontiers in Econometrics (1974), 105-142, for the pseudo-R2; Albert and
Anderson, Biometrika 71 (1984) 1-10, for separation.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, gammaincc, gammaln

from keras_radtl.baselines.certificate import class_signs, linear_scores, transposed_product
from keras_radtl.baselines.separation import COMPLETE, NONE, Separation, find_separation, without_separation
from keras_radtl.config.errors import UserError, require

_ITERATIONS = 50
_DECREMENT = 1e-10  # half the squared Newton decrement, in nats, at which the maximum is found
_RANK = 1e-10  # least eigenvalue of a kept direction, relative to the largest
_ROWS = 1024  # rows whose contribution to the Hessian is added at a time


@dataclass(frozen=True)
class LogisticFit:
    """A maximum-likelihood fit, or the limits of one that has no maximum.

    Attributes:
        coef: float64 array of shape (p,), per unit of the features. With separation: those of the last iteration, a
            direction in which the likelihood grows.
        intercept: The intercept.
        log_likelihood: Maximum of the log-likelihood in nats; 0, its supremum, if separation is complete.
        null_log_likelihood: That of the prevalence alone.
        reached_log_likelihood: That of `coef` and `intercept`.
        pseudo_r2: McFadden's, 1 - log_likelihood / null_log_likelihood.
        likelihood_ratio: 2 (log_likelihood - null_log_likelihood).
        degrees_of_freedom: Rank of the centred features.
        p_value: Upper tail of the chi-squared distribution, 0.0 if it underflows.
        log10_p: Its decimal logarithm, which does not underflow.
        separation: The `Separation`.
        note: What the separation means for these numbers; empty without.
    """

    coef: np.ndarray
    intercept: float
    log_likelihood: float
    null_log_likelihood: float
    reached_log_likelihood: float
    pseudo_r2: float
    likelihood_ratio: float
    degrees_of_freedom: int
    p_value: float
    log10_p: float
    separation: Separation
    note: str

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the probability of class 1 for features of shape (n, p), as a float64 array of shape (n,)."""
        return expit(linear_scores(features, self.coef, self.intercept))


def fit_logistic(features: np.ndarray, targets) -> LogisticFit:
    """Fit a logistic regression with an intercept by maximum likelihood.

    Args:
        features: float array of shape (n, p), finite; standardize pixels first.
        targets: 0/1 array of shape (n,) with both classes.

    Returns:
        The `LogisticFit`.

    Warns:
        ConvergenceWarning: If there is no separation and the maximum was not found.

    Raises:
        UserError: If shapes differ, a class is missing, a value is not finite or all features are constant.
    """
    require(np.ndim(features) == 2, "features", "an array of shape (n, p)", np.shape(features))
    signs = class_signs(targets, len(features))
    mean = transposed_product(features, np.ones((len(features), 1)))[:, 0] / len(features)
    if not np.isfinite(mean).all():
        raise UserError("`features` must be finite. Received: nan or inf")
    basis, back = _orthonormal_basis(features, mean)
    solution, offset, converged = maximize_likelihood(basis, signs)
    scores = basis @ solution + offset
    reached = -float(np.logaddexp(0, -signs * scores).sum())
    separation = _separation(basis, signs, scores)
    if separation.kind == NONE and not converged:
        from sklearn.exceptions import ConvergenceWarning

        warnings.warn(f"no maximum after {_ITERATIONS} iterations", ConvergenceWarning, stacklevel=2)
    positive = float(np.mean(signs > 0))
    null = float(len(signs) * (positive * math.log(positive) + (1 - positive) * math.log1p(-positive)))
    largest = 0.0 if separation.kind == COMPLETE else reached
    ratio, coef = 2 * (largest - null), back(solution)
    log_p = log_chi2_tail(ratio, basis.shape[1])
    return LogisticFit(
        coef=coef,
        intercept=float(offset - mean @ coef),
        log_likelihood=largest,
        null_log_likelihood=null,
        reached_log_likelihood=reached,
        pseudo_r2=1 - largest / null,
        likelihood_ratio=ratio,
        degrees_of_freedom=basis.shape[1],
        p_value=math.exp(log_p),
        log10_p=log_p / math.log(10),
        separation=separation,
        note=_note(separation, len(signs)),
    )


def maximize_likelihood(features: np.ndarray, signs: np.ndarray) -> tuple[np.ndarray, float, bool]:
    """Maximize the log-likelihood by Newton's method with step halving.

    It also stops, without convergence, as soon as the scores separate the classes: there is no maximum then.

    Args:
        features: float64 array of shape (n, r), of rank r after centring.
        signs: Array of shape (n,), -1 or 1.

    Returns:
        Coefficients of shape (r,), intercept, and whether the maximum was found.
    """
    solution, scores = np.zeros(features.shape[1] + 1), np.zeros(len(signs))
    loss = len(signs) * math.log(2)
    for _ in range(_ITERATIONS):
        wrong = expit(-signs * scores)
        gradient = np.append(features.T @ (signs * wrong), signs @ wrong)
        step = _solve(_hessian(features, wrong * (1 - wrong)), gradient)
        if step is None:  # all probabilities are 0 or 1 to rounding
            return solution[:-1], float(solution[-1]), False
        change, gain, size = features @ step[:-1] + step[-1], float(gradient @ step), 1.0
        if gain / 2 < _DECREMENT:
            return solution[:-1], float(solution[-1]), True
        while (new := np.logaddexp(0, -signs * (scores + size * change)).sum()) > loss - 1e-4 * size * gain:
            size /= 2
            if size < 1e-6:  # no progress beyond rounding
                return solution[:-1], float(solution[-1]), gain < 1e-6 * loss
        solution, scores, loss = solution + size * step, scores + size * change, new
        if (signs * scores).min() > 0:
            break
    return solution[:-1], float(solution[-1]), False


def log_chi2_tail(statistic: float, degrees_of_freedom: int) -> float:
    """Return the natural logarithm of the upper tail probability of a chi-squared distribution; it does not underflow.

    In the far tail it is the continued fraction of the incomplete gamma function, Abramowitz and Stegun (1964), 6.5.31.
    """
    a, x = degrees_of_freedom / 2, statistic / 2
    direct = float(gammaincc(a, x))
    if direct > 1e-250:
        return math.log(direct)
    fraction, terms = 0.0, int(200 + 10 * math.sqrt(a))
    for k in range(terms, 0, -1):  # x is far above a here, so the fraction converges fast
        fraction = k * (k - a) / (x + 2 * k + 1 - a - fraction)
    return -x + a * math.log(x) - float(gammaln(a)) - math.log(x + 1 - a - fraction)


def _hessian(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the negative Hessian of shape (r + 1, r + 1), added up in blocks of rows."""
    size = features.shape[1]
    total = np.zeros((size + 1, size + 1))
    for start in range(0, len(features), _ROWS):
        part = slice(start, start + _ROWS)
        block = features[part] * np.sqrt(weights[part])[:, None]
        total[:size, :size] += block.T @ block
    total[-1, :-1] = total[:-1, -1] = weights @ features
    total[-1, -1] = weights.sum()
    return total


def _solve(hessian: np.ndarray, gradient: np.ndarray) -> np.ndarray | None:
    """Return the Newton step, or None if the Hessian is singular to rounding."""
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    scale = np.sqrt(np.diag(hessian))
    if not scale.min() > 0:
        return None
    try:
        factor = cho_factor(hessian / np.outer(scale, scale), lower=True)
    except LinAlgError:
        return None
    return cho_solve(factor, gradient / scale) / scale


def _orthonormal_basis(features: np.ndarray, mean: np.ndarray):
    """Return an orthonormal basis (n, r) of the centred features, and the function from its coefficients to theirs."""
    n, p = features.shape
    if p <= n:
        centred = features - mean
        values, vectors = np.linalg.eigh(centred.T @ centred)
    else:
        gram = np.zeros((n, n))
        for start in range(0, p, _ROWS):
            block = features[:, start : start + _ROWS] - mean[start : start + _ROWS]
            gram += block @ block.T
        values, vectors = np.linalg.eigh(gram)
    kept = values > max(values[-1], 0) * _RANK
    if not kept.any():
        raise UserError(f"All {p} features are constant over the {n} cases; there is nothing to fit")
    vectors, lengths = vectors[:, kept], np.sqrt(values[kept])
    if p <= n:
        directions = vectors / lengths
        return centred @ directions, lambda solution: directions @ solution

    def back(solution):
        weights = vectors @ (solution / lengths**2)
        return transposed_product(features, weights[:, None])[:, 0] - mean * weights.sum()

    return vectors, back


def _separation(basis: np.ndarray, signs: np.ndarray, scores: np.ndarray) -> Separation:
    """Decide by the last scores if they prove an answer, and by the linear program if they do not."""
    if (signs * scores).min() > 0:
        return Separation(COMPLETE, len(signs), "hyperplane")
    if without_separation(basis, signs, expit(-signs * scores)):
        return Separation(NONE, 0, "residuals")
    return find_separation(basis * np.sqrt(len(basis)), signs)


def _note(separation: Separation, cases: int) -> str:
    if separation.kind == COMPLETE:
        return (
            "A hyperplane separates the classes, so the likelihood has no maximum. Its supremum is 1: pseudo-R2 is 1 "
            "and the likelihood-ratio statistic 2 n H by construction, and the p-value is not a test of the model"
        )
    if separation.kind != NONE:
        return (
            f"Quasi-complete separation: a hyperplane has {separation.cases} of {cases} cases on the side of their "
            "class and the others on it. The likelihood has no maximum; pseudo-R2 and likelihood ratio are those "
            "reached, and the p-value is not reliable"
        )
    return ""
