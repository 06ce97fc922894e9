"""Small problems and an independent solver: bounded quasi-Newton on positive and negative parts of coefficients."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from scipy.optimize import minimize


class Problem(NamedTuple):
    features: np.ndarray
    targets: np.ndarray


@pytest.fixture(scope="session")
def make_problem():
    """Return a function (cases, features, seed) -> correlated features and targets that depend on three of them."""

    def make(cases: int = 60, features: int = 12, seed: int = 0, dtype=np.float64) -> Problem:
        generator = np.random.default_rng(seed)
        values = generator.normal(size=(cases, features)) + generator.normal(size=(cases, 1))
        targets = (values[:, :3].sum(1) - 1 + 2 * generator.logistic(size=cases) > 0).astype(int)
        return Problem(values.astype(dtype), targets)

    return make


@pytest.fixture(scope="session")
def smallest_objective():
    """Return a function (features, targets, C, l1_ratio) -> smallest objective and its coefficients, by SciPy."""

    def solve(features, targets, C, l1_ratio):
        width = features.shape[1]
        sides = np.where(targets == 1, 1.0, -1.0)

        def value_and_gradient(parts):
            up, down, intercept = parts[:width], parts[width:-1], parts[-1]
            coef = up - down
            margin = sides * (features @ coef + intercept)
            value = C * np.logaddexp(0, -margin).sum() + l1_ratio * (up + down).sum() + (1 - l1_ratio) / 2 * coef @ coef
            slope = -C * sides / (1 + np.exp(margin))
            smooth = features.T @ slope + (1 - l1_ratio) * coef
            return value, np.concatenate([smooth + l1_ratio, l1_ratio - smooth, [slope.sum()]])

        found = minimize(
            value_and_gradient,
            np.zeros(2 * width + 1),
            jac=True,
            method="L-BFGS-B",
            bounds=[(0, None)] * (2 * width) + [(None, None)],
            options={"maxiter": 50_000, "maxfun": 100_000, "ftol": 1e-16, "gtol": 1e-10, "maxcor": 30},
        )
        return float(found.fun), found.x[:width] - found.x[width:-1]

    return solve
