"""Profile deviance and its minimization against dense matrices, finite differences, scipy and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from keras_radtl.stats.mixed_likelihood import degrees_of_freedom, deviance, minimize_deviance, parts, profile
from keras_radtl.stats.variance_components import cross_products


def random_problem(seed):
    """Return factor codes, X and y for one to four factors, some of them without an effect."""
    generator = np.random.default_rng(seed)
    n, factors = int(generator.integers(20, 200)), int(generator.integers(1, 5))
    codes = [
        np.unique(generator.integers(0, 2 + generator.integers(6), n), return_inverse=True)[1] for _ in range(factors)
    ]
    y = 10 ** generator.uniform(-2, 1) * generator.normal(size=n)
    y += sum(generator.choice((0, 0.1, 1)) * generator.normal(size=8)[code] for code in codes)
    return codes, np.column_stack([np.ones(n), generator.normal(size=n)]), (y - y.mean()) / y.std()


def dense_deviance(codes, x, y, theta, reml):
    """Return minus twice the (restricted) log-likelihood at the best coefficients and residual variance."""
    indicators = [np.eye(code.max() + 1)[code] for code in codes]
    covariance = np.eye(len(y)) + sum(t**2 * z @ z.T for t, z in zip(theta, indicators, strict=True))
    inverse = np.linalg.inv(covariance)
    information = x.T @ inverse @ x
    residual = y - x @ np.linalg.solve(information, x.T @ inverse @ y)
    freedom = len(y) - reml * x.shape[1]
    variance = residual @ inverse @ residual / freedom
    value = np.linalg.slogdet(covariance)[1] + freedom * (1 + np.log(2 * np.pi * variance))
    return value + (np.linalg.slogdet(information)[1] if reml else 0)


@pytest.mark.parametrize("reml", [True, False], ids=["reml", "ml"])
@pytest.mark.parametrize("seed", range(4))
def test_deviance_matches_the_dense_likelihood(seed, reml):
    codes, x, y = random_problem(seed)
    cross = cross_products(codes, np.column_stack([x, y]))
    for theta in (np.linspace(0.2, 1.5, len(codes)), np.zeros(len(codes))):
        expected = dense_deviance(codes, x, y, theta, reml)
        assert deviance(cross, theta, reml) == pytest.approx(expected, rel=1e-10)
        assert profile(cross, theta, reml).value == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("reml", [True, False], ids=["reml", "ml"])
@pytest.mark.parametrize("seed", range(4))
def test_gradient_and_hessian_match_finite_differences(seed, reml):
    codes, x, y = random_problem(seed)
    cross = cross_products(codes, np.column_stack([x, y]))
    phi, step = np.linspace(0.3, 1.2, len(codes)), 1e-5
    found = profile(cross, np.sqrt(phi), reml)
    for k in range(len(phi)):
        shift = step * (np.arange(len(phi)) == k)
        above, below = (profile(cross, np.sqrt(phi + sign * shift), reml) for sign in (1, -1))
        assert found.gradient[k] == pytest.approx((above.value - below.value) / (2 * step), rel=1e-5, abs=1e-5)
        np.testing.assert_allclose(
            found.hessian[k], (above.gradient - below.gradient) / (2 * step), rtol=1e-4, atol=1e-4
        )


def test_parts_match_generalized_least_squares():
    codes, x, y = random_problem(1)
    theta = np.linspace(0.5, 1, len(codes))
    at = parts(cross_products(codes, np.column_stack([x, y])), theta**2)
    indicators = [np.eye(code.max() + 1)[code] for code in codes]
    inverse = np.linalg.inv(np.eye(len(y)) + sum(t**2 * z @ z.T for t, z in zip(theta, indicators, strict=True)))
    information = x.T @ inverse @ x
    coefficients = np.linalg.solve(information, x.T @ inverse @ y)
    residual = y - x @ coefficients
    np.testing.assert_allclose(at.inverse, np.linalg.inv(information), rtol=1e-9)
    np.testing.assert_allclose(at.coefficients, coefficients, rtol=1e-9)
    assert at.residual.value == pytest.approx(residual @ inverse @ residual, rel=1e-10)
    for score, z in zip(at.scores, indicators, strict=True):
        np.testing.assert_allclose(score, z.T @ inverse @ residual, atol=1e-10)


@pytest.mark.parametrize("seed", range(12))
def test_no_other_search_finds_a_smaller_deviance(seed):
    codes, x, y = random_problem(seed)
    cross = cross_products(codes, np.column_stack([x, y]))
    reml = bool(seed % 2)
    found = minimize_deviance(cross, reml)
    others = [
        minimize(
            lambda theta: deviance(cross, theta, reml),
            np.full(len(codes), start),
            jac=lambda theta: 2 * theta * profile(cross, theta, reml).gradient,
            bounds=[(0, 1e4)] * len(codes),
            method="L-BFGS-B",
        ).fun
        for start in (0.3, 1, 30)
    ]
    assert found.converged
    assert found.deviance <= min(others) + 1e-7
    at = profile(cross, found.theta, reml)
    inside = found.theta > 0
    np.testing.assert_allclose(2 * found.theta[inside] * at.gradient[inside], 0, atol=1e-4)
    assert (at.gradient[~inside] >= -1e-6).all()


@pytest.mark.parametrize("reml", [True, False], ids=["reml", "ml"])
def test_one_random_factor_matches_statsmodels(reml):
    from statsmodels.regression.mixed_linear_model import MixedLM

    generator = np.random.default_rng(2)
    group = np.repeat(np.arange(15), 8)
    x = np.column_stack([np.ones(120), generator.normal(size=120)])
    y = x @ [1, 0.5] + generator.normal(size=15)[group] + generator.normal(size=120)
    cross = cross_products([group], np.column_stack([x, y]))
    found = minimize_deviance(cross, reml)
    at = parts(cross, found.theta**2)
    expected = MixedLM(y, x, group).fit(reml=reml)
    variance = at.residual.value / degrees_of_freedom(cross, reml)
    assert variance == pytest.approx(expected.scale, rel=1e-4)
    assert found.theta[0] ** 2 * variance == pytest.approx(expected.cov_re[0, 0], rel=1e-3)
    np.testing.assert_allclose(at.coefficients, expected.fe_params, rtol=1e-4)


def test_response_without_residual_variance_raises():
    group = np.repeat(np.arange(6), 5)
    cross = cross_products([group], np.column_stack([np.full(30, 30**-0.5), (group - 2.5) / group.std()]))
    with pytest.raises(ValueError, match="residual variance must be > 0"):
        minimize_deviance(cross, True)
