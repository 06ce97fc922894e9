"""Satterthwaite's degrees of freedom against analysis of variance and a dense model with finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from keras_radtl.stats.mixed_likelihood import degrees_of_freedom, minimize_deviance, parts
from keras_radtl.stats.mixed_model import fit_mixed_model
from keras_radtl.stats.satterthwaite import satterthwaite
from keras_radtl.stats.variance_components import cross_products


def split_plot(seed=0, plots=8, plants=6):
    """Return a balanced design: `treatment` varies between plots, `dose` within plots."""
    generator = np.random.default_rng(seed)
    plot = np.repeat(np.arange(plots), plants)
    fixed = {"treatment": np.where(plot % 2, "new", "old").tolist(), "dose": ["high", "low"] * (plots * plants // 2)}
    return generator.normal(size=plots)[plot] + generator.normal(size=len(plot)), fixed, plot


def test_balanced_split_plot_has_the_degrees_of_freedom_of_its_strata():
    y, fixed, plot = split_plot()
    model = fit_mixed_model(y, fixed, {"plot": plot})
    assert not model.boundary
    df = {row.term: row.df for row in model.fixed}
    assert df["treatmentold"] == pytest.approx(8 - 2, rel=1e-8)  # plots minus treatments
    assert df["doselow"] == pytest.approx(48 - 8 - 1, rel=1e-8)  # plants minus plots minus the contrast


def test_singular_fit_has_the_degrees_of_freedom_of_least_squares():
    generator = np.random.default_rng(3)
    noise = generator.normal(size=48)
    group = np.repeat(np.arange(8), 6)
    noise -= np.repeat(noise.reshape(8, 6).mean(axis=1), 6)  # no variance between groups
    arm = np.tile(["a", "b"], 24)
    model = fit_mixed_model(3 + noise, {"arm": arm.tolist()}, {"group": group})
    assert model.boundary
    assert [row.df for row in model.fixed] == pytest.approx([46, 46], rel=1e-8)


@pytest.mark.parametrize("reml", [True, False], ids=["reml", "ml"])
@pytest.mark.parametrize("seed", range(3))
def test_unbalanced_crossed_design_matches_finite_differences_of_a_dense_model(seed, reml):
    generator = np.random.default_rng(seed)
    codes = [np.append(np.arange(levels), generator.integers(0, levels, 60 - levels)) for levels in (5, 7)]
    x = np.column_stack([np.ones(60), generator.normal(size=60)])
    y = generator.normal(size=60) + sum(2 * generator.normal(size=7)[code] for code in codes)
    indicators = [np.eye(code.max() + 1)[code] for code in codes]
    contrasts = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, -2.0]])

    def dense(w):
        """Return deviance and variances of the contrasts at w = (theta_1, theta_2, sigma)."""
        covariance = w[-1] ** 2 * (np.eye(60) + sum(t**2 * z @ z.T for t, z in zip(w[:-1], indicators, strict=True)))
        inverse = np.linalg.inv(covariance)
        information = x.T @ inverse @ x
        residual = y - x @ np.linalg.solve(information, x.T @ inverse @ y)
        value = np.linalg.slogdet(covariance)[1] + residual @ inverse @ residual
        value += np.linalg.slogdet(information)[1] if reml else 0
        return value, np.diag(contrasts @ np.linalg.inv(information) @ contrasts.T)

    cross = cross_products(codes, np.column_stack([x, y]))
    solution, freedom = minimize_deviance(cross, reml), degrees_of_freedom(cross, reml)
    assert (solution.theta > 0.1).all()
    at = parts(cross, solution.theta**2)
    found = satterthwaite(at, solution.theta, freedom, reml, contrasts)

    w = np.append(solution.theta, np.sqrt(at.residual.value / freedom))
    steps = 1e-4 * np.diag(w)
    gradient = np.stack([(dense(w + h)[1] - dense(w - h)[1]) / (2 * h.sum()) for h in steps], axis=1)
    hessian = [
        [
            (dense(w + h + k)[0] - dense(w + h - k)[0] - dense(w - h + k)[0] + dense(w - h - k)[0])
            / (4 * h.sum() * k.sum())
            for k in steps
        ]
        for h in steps
    ]
    spread = np.einsum("mk,kl,ml->m", gradient, 2 * np.linalg.inv(hessian), gradient)
    np.testing.assert_allclose(found, 2 * dense(w)[1] ** 2 / spread, rtol=1e-3)


def test_unit_of_the_response_does_not_matter():
    y, fixed, plot = split_plot(seed=4)
    ours, theirs = (fit_mixed_model(unit * y, fixed, {"plot": plot}) for unit in (1.0, 1e5))
    assert [row.df for row in theirs.fixed] == pytest.approx([row.df for row in ours.fixed], rel=1e-6)
