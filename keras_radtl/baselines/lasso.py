"""Logistic lasso and elastic net at one C and along a path, each fit with its certificate.

The objective is scikit-learn's: C times the sum of the log-losses, plus r |w|_1 + (1 - r) / 2 |w|_2^2, with r =
`l1_ratio` and an intercept that is not penalized. A larger C means a weaker penalty. Other conventions for n cases:

| convention | objective | its constant |
|---|---|---|
| scikit-learn | C sum of losses + penalty | C |
| lambda = 1 / C | sum of losses + lambda penalty | lambda = 1 / C |
| glmnet | mean of losses + lambda penalty, alpha = r | lambda = 1 / (C n), `LassoFit.glmnet_lambda` |

| solver | what it is |
|---|---|
| `newton` | proximal Newton on working sets (`working_set`); the default, no further package |
| `saga` | scikit-learn's stochastic gradient method, which the mammography study used; slow to converge |
| `skglm` | coordinate descent of the package skglm (extra `lasso`); lasso only; copies a C-ordered matrix |

All of them fit the intercept. celer is not offered, because its logistic regression has none. Certificates do not
depend on the solver: they are computed from the coefficients.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from scipy.special import expit

from keras_radtl.baselines.certificate import (
    TOLERANCE,
    Certificate,
    certify,
    check_problem,
    linear_scores,
    transposed_product,
)
from keras_radtl.baselines.working_set import convergence_ignored, solve
from keras_radtl.config.errors import UserError, listed, require

_Solution = tuple[np.ndarray, float, int]  # coefficients, intercept, iterations


@dataclass(frozen=True)
class LassoFit:
    """A fit with its certificate.

    Attributes:
        coef: float64 array of shape (p,).
        intercept: The intercept.
        solver: Name of the solver.
        iterations: Working sets of `newton` and `skglm`, passes over the data of `saga`.
        pseudo_r2: McFadden's pseudo-R2 on the training cases, 1 - log-likelihood / log-likelihood of the prevalence.
        glmnet_lambda: The constant in glmnet's convention, 1 / (C n).
        certificate: The `Certificate`: objective, duality gap, KKT violation, sparsity and whether it is optimal.
    """

    coef: np.ndarray
    intercept: float
    solver: str
    iterations: int
    pseudo_r2: float
    glmnet_lambda: float
    certificate: Certificate

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the probability of class 1 for features of shape (n, p), as a float64 array of shape (n,)."""
        return expit(linear_scores(features, self.coef, self.intercept))


def fit_lasso(
    features: np.ndarray,
    targets,
    C: float,
    l1_ratio: float = 1.0,
    solver: str = "newton",
    tolerance: float = TOLERANCE,
    max_iterations: int | None = None,
    start: LassoFit | None = None,
    seed: int = 0,
) -> LassoFit:
    """Fit a logistic lasso or elastic net at one C.

    Args:
        features: float32 or float64 array of shape (n, p); standardize them first. It is not copied, but by `skglm` if
            it is not Fortran-contiguous, and by `saga` if it is not C-contiguous.
        targets: 0/1 array of shape (n,) with both classes.
        C: Weight of the log-losses, above 0.
        l1_ratio: Share of the 1-norm in the penalty, in (0, 1]; 1 is the lasso.
        solver: "newton", "saga" or "skglm".
        tolerance: Relative duality gap at which a fit counts as optimal and `newton` stops, in (0, 1).
        max_iterations: Working sets (default 100) or passes of `saga` (default 1000).
        start: A fit of the same features from which to start, or None for coefficients 0 and the log-odds of class 1.
        seed: Seed of `saga`, which draws the cases at random.

    Returns:
        The `LassoFit`.

    Warns:
        ConvergenceWarning: If the fit is not optimal.

    Raises:
        UserError: If an argument is out of range, shapes differ, a class is missing, a value is not finite, or the
            package of the solver is missing.
    """
    signs = check_problem(features, targets, C, l1_ratio)
    require(0 < tolerance < 1, "tolerance", "in (0, 1)", tolerance)
    require(max_iterations is None or max_iterations >= 1, "max_iterations", "at least 1", max_iterations)
    require(solver in SOLVERS, "solver", f"one of: {listed(SOLVERS)}", solver)
    share = np.mean(signs > 0)
    zeros = np.zeros(features.shape[1]), float(np.log(share / (1 - share)))
    coef, intercept = (start.coef, start.intercept) if start else zeros
    require(len(coef) == features.shape[1], "start", f"a fit of {features.shape[1]} features", len(coef))
    if not np.isfinite(features.sum()):
        raise UserError("`features` must be finite. Received: nan or inf")
    problem = _Problem(features, signs, C, l1_ratio, tolerance, seed)
    coef, intercept, iterations = SOLVERS[solver](problem, max_iterations, coef, intercept)
    certificate = certify(features, targets, coef, intercept, C, l1_ratio, tolerance)
    if not certificate.optimal:
        _warn(certificate, f"{solver} stopped after {iterations} iterations")
    losses = np.logaddexp(0, -signs * linear_scores(features, coef, intercept)).sum()
    return LassoFit(
        coef, intercept, solver, iterations, float(1 - losses / null_loss(signs)), 1 / (C * len(signs)), certificate
    )


def lasso_path(
    features: np.ndarray, targets, values: Sequence[float], start: LassoFit | None = None, **options
) -> Iterator[LassoFit]:
    """Fit at each C in turn, starting from the fit before, and yield each fit as soon as it is found.

    A caller can show progress, store each fit and stop between two. To resume, pass the values that are left and the
    last fit as `start`: the result is the same as without the stop.

    Args:
        features: As for `fit_lasso`.
        targets: As for `fit_lasso`.
        values: The values of C; ascending ones make the best starts.
        start: The fit before the first value, or None for zeros.
        **options: Further arguments of `fit_lasso`.

    Yields:
        One `LassoFit` per value.
    """
    for value in values:
        start = fit_lasso(features, targets, value, start=start, **options)
        yield start


def path_values(features: np.ndarray, targets, steps: int, largest: float, l1_ratio: float = 1.0) -> np.ndarray:
    """Return ascending values of C in equal ratios, from just above the one that leaves all coefficients 0.

    Args:
        features: As for `fit_lasso`.
        targets: As for `fit_lasso`.
        steps: Number of values, at least 2.
        largest: The last value.
        l1_ratio: Share of the 1-norm in the penalty, in (0, 1].

    Returns:
        float64 array of shape (steps,).

    Raises:
        UserError: If fewer than two steps are asked for or `largest` leaves all coefficients 0.
    """
    require(steps >= 2, "steps", "at least 2", steps)
    signs = check_problem(features, targets, largest, l1_ratio)
    residuals = (signs > 0) - np.mean(signs > 0)
    steepest = np.abs(transposed_product(features, residuals[:, None])).max()
    least = 1.05 * l1_ratio / steepest if steepest > 0 else np.inf
    require(largest > least, "largest", f"above {least:.4g}, below which all coefficients are 0", largest)
    return np.geomspace(least, largest, steps)


def require_package(solver: str) -> None:
    """Require that the package of a solver is installed.

    Raises:
        UserError: If it is not; the message says how to install it.
    """
    if solver == "skglm" and find_spec("skglm") is None:
        raise UserError(
            '`solver="skglm"` needs the package skglm: pip install "keras_radtl[lasso]". `solver="newton"` needs no '
            "further package"
        )


def null_loss(signs: np.ndarray) -> float:
    """Return the sum of log-losses of the prevalence, n times its entropy in nats."""
    share = np.mean(signs > 0)
    return float(-len(signs) * (share * np.log(share) + (1 - share) * np.log1p(-share)))


def _warn(certificate: Certificate, start: str) -> None:
    from sklearn.exceptions import ConvergenceWarning

    message = (
        f"{start}, and the fit at C={certificate.C:g} is not optimal: relative duality gap "
        f"{certificate.relative_gap:.2g}, tolerance {certificate.tolerance:g}. Increase `max_iterations`"
    )
    warnings.warn(message, ConvergenceWarning, stacklevel=3)


@dataclass(frozen=True)
class _Problem:
    """What the solvers receive."""

    features: np.ndarray
    signs: np.ndarray
    C: float
    l1_ratio: float
    tolerance: float
    seed: int


def _newton(problem: _Problem, limit: int | None, coef: np.ndarray, intercept: float) -> _Solution:
    return solve(
        problem.features, problem.signs, problem.C, problem.l1_ratio, problem.tolerance, limit or 100, coef, intercept
    )


def _saga(problem: _Problem, limit: int | None, coef: np.ndarray, intercept: float) -> _Solution:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(
        solver="saga",
        C=problem.C,
        l1_ratio=problem.l1_ratio,
        max_iter=limit or 1000,
        tol=problem.tolerance / 10,  # of the largest change of a coefficient in a pass, relative to the largest one
        warm_start=True,
        random_state=problem.seed,
    )
    model.classes_ = np.array([0, 1])
    model.coef_ = coef[None].astype(problem.features.dtype)
    model.intercept_ = np.array([intercept], problem.features.dtype)
    with convergence_ignored():
        model.fit(problem.features, (problem.signs > 0).astype(int))
    return model.coef_[0].astype(np.float64), float(model.intercept_[0]), int(model.n_iter_[0])


def _skglm(problem: _Problem, limit: int | None, coef: np.ndarray, intercept: float) -> _Solution:
    require_package("skglm")
    from skglm.datafits import Logistic
    from skglm.penalties import L1
    from skglm.solvers import ProxNewton

    require(problem.l1_ratio == 1, "l1_ratio", 'exactly 1 with `solver="skglm"`', problem.l1_ratio)
    features = np.asfortranarray(problem.features)
    kind, cases = features.dtype, len(features)
    start = np.append(coef, intercept).astype(kind)
    scores = linear_scores(problem.features, coef, intercept).astype(kind)
    allowed = problem.tolerance / 10 / (problem.C * cases)  # of the gradient of the mean loss
    solver = ProxNewton(tol=allowed, fit_intercept=True, max_iter=limit or 100)
    with convergence_ignored():
        found, history, _ = solver.solve(
            features, problem.signs.astype(kind), Logistic(), L1(1 / (problem.C * cases)), start, scores
        )
    return found[:-1].astype(np.float64), float(found[-1]), len(history)


SOLVERS: dict[str, Callable[[_Problem, int | None, np.ndarray, float], _Solution]] = {
    "newton": _newton,
    "saga": _saga,
    "skglm": _skglm,
}
