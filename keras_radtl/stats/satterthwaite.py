"""Satterthwaite's degrees of freedom for the fixed effects of a linear mixed model, as in R's lmerTest.

For an estimate with variance v(w), a function of the variance parameters w = (theta_1, ..., theta_K, sigma), the
degrees of freedom are 2 v^2 / (g'Ag), where g is the gradient of v and A is twice the inverse Hessian of the deviance
in w. The inverse is a pseudo-inverse that drops eigenvalues up to a tolerance, which covers singular fits. Derivatives
are exact; lmerTest approximates them by Richardson extrapolation.

Reference: Kuznetsova, Brockhoff, Christensen (2017), lmerTest Package: Tests in Linear Mixed Effects Models, J. Stat.
Softw. 82(13), section 2; Giesbrecht, Burns (1985), Biometrics 41(2).
"""

from __future__ import annotations

import numpy as np

from keras_radtl.stats.mixed_likelihood import Parts

TOLERANCE = 1e-8  # as in lmerTest, Hessian eigenvalues up to this count as zero


def satterthwaite(at: Parts, theta: np.ndarray, freedom: int, reml: bool, contrasts: np.ndarray) -> np.ndarray:
    """Compute the degrees of freedom of linear combinations of the fixed effects.

    The response is measured in residual standard deviations (sigma = 1 at the optimum), so the tolerance does not
    depend on its unit.

    Args:
        at: terms of the likelihood at the optimum.
        theta: float64 array of shape (K,), relative standard deviations at the optimum.
        freedom: divisor of the residual sum of squares, n - p (REML) or n (ML).
        reml: whether the model is fitted by REML.
        contrasts: float64 array of shape (m, p), one linear combination per row.

    Returns:
        float64 array of shape (m,), degrees of freedom; inf if the variance does not depend on an estimated parameter.
    """
    covariance = 2 * _pseudo_inverse(_deviance_hessian(at, theta, freedom, reml))
    variance = np.einsum("mi,ij,mj->m", contrasts, at.inverse, contrasts)
    by_theta = 2 * theta * np.einsum("mi,kij,mj->mk", contrasts, at.inverse_gradient, contrasts)
    gradient = np.column_stack([by_theta, 2 * variance])
    spread = np.einsum("mk,kl,ml->m", gradient, covariance, gradient)
    return np.divide(2 * variance**2, spread, out=np.full(len(spread), np.inf), where=spread > 0)


def _deviance_hessian(at: Parts, theta: np.ndarray, freedom: int, reml: bool) -> np.ndarray:
    """Return the Hessian of the deviance in (theta, sigma), shape (K + 1, K + 1), with sigma = 1 at the optimum."""
    variance = at.residual.value / freedom
    gradient = at.log_determinant.gradient + at.residual.gradient / variance
    curvature = at.log_determinant.hessian + at.residual.hessian / variance
    if reml:
        gradient = gradient + at.information.gradient
        curvature = curvature + at.information.hessian
    hessian = np.empty((len(theta) + 1, len(theta) + 1))
    hessian[:-1, :-1] = 4 * np.outer(theta, theta) * curvature + 2 * np.diag(gradient)
    hessian[:-1, -1] = hessian[-1, :-1] = -4 * theta * at.residual.gradient / variance
    hessian[-1, -1] = 4 * freedom
    return hessian


def _pseudo_inverse(hessian: np.ndarray) -> np.ndarray:
    """Return the pseudo-inverse, which drops eigenvalues up to the tolerance."""
    values, vectors = np.linalg.eigh(hessian)
    kept = values > TOLERANCE
    return (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
