"""Linear mixed models with crossed random intercepts, fitted by REML or ML as in R's lme4 and lmerTest.

Reference: Bates, Maechler, Bolker, Walker (2015), J. Stat. Softw. 67(1); Kuznetsova, Brockhoff, Christensen (2017),
J. Stat. Softw. 82(13).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from keras_radtl.stats.mixed_design import Design, make_design
from keras_radtl.stats.mixed_likelihood import degrees_of_freedom, minimize_deviance, parts
from keras_radtl.stats.satterthwaite import satterthwaite
from keras_radtl.stats.variance_components import cross_products

BOUNDARY = 1e-4  # as in lme4, a fit is singular if a relative standard deviation is smaller than this
RESIDUAL = "Residual"


class FixedEffect(NamedTuple):
    """One fixed effect; `p` is the two-sided p-value of a t-test with Satterthwaite's degrees of freedom `df`."""

    term: str
    estimate: float
    std_error: float
    df: float
    t: float
    p: float


class VarianceComponent(NamedTuple):
    """Variance of a random factor or of the residual; `levels` is the number of levels (for the residual, of rows)."""

    group: str
    variance: float
    std_dev: float
    levels: int


class RatioTest(NamedTuple):
    """Likelihood-ratio test of nested models: chi-squared statistic, degrees of freedom and p-value."""

    statistic: float
    df: int
    p: float


@dataclass(frozen=True)
class MixedModel:
    """A fitted linear mixed model.

    Attributes:
        method: "reml" or "ml".
        fixed: fixed effects, starting with the intercept.
        random: variance components in the order of the random factors, followed by the residual.
        criterion: minus twice the restricted (REML) or full (ML) log-likelihood at the optimum.
        scaled_residuals: minimum, quartiles and maximum of (y - fitted) / residual standard deviation.
        covariance: float64 array of shape (p, p), covariance matrix of the fixed effects.
        random_effects: predicted random effect by random factor and level.
        n: number of rows.
        converged: whether the optimality conditions hold.
        boundary: whether a variance is zero (singular fit).
        design: the design the model was fitted to.
    """

    method: str
    fixed: tuple[FixedEffect, ...]
    random: tuple[VarianceComponent, ...]
    criterion: float
    scaled_residuals: tuple[float, float, float, float, float]
    covariance: np.ndarray
    random_effects: Mapping[str, Mapping[str, float]]
    n: int
    converged: bool
    boundary: bool
    design: Design


def fit_mixed_model(
    response: Sequence,
    fixed: Mapping[str, Sequence],
    random: Mapping[str, Sequence],
    method: str = "reml",
    reference: Mapping[str, str] | None = None,
    categorical: Collection[str] = (),
) -> MixedModel:
    """Fit a linear mixed model with an intercept, fixed terms and crossed random intercepts.

    Args:
        response: n finite numbers.
        fixed: values of each fixed term by name; may be empty. Numeric values are a covariate, other values a factor.
        random: values of each random factor by name, at least one.
        method: "reml" (restricted maximum likelihood) or "ml" (maximum likelihood).
        reference: reference level by fixed factor; the default is the first level in sorted order.
        categorical: names of fixed terms whose numeric values are levels of a factor.

    Returns:
        A `MixedModel`.

    Raises:
        ValueError: if the model cannot be fitted; the message names the term.
    """
    return fit_design(make_design(response, fixed, random, reference, categorical), method)


def fit_design(design: Design, method: str = "reml") -> MixedModel:
    """Fit a linear mixed model to a design.

    Args:
        design: from `make_design`.
        method: "reml" or "ml".

    Returns:
        A `MixedModel`.

    Raises:
        ValueError: if `method` is unknown or the model fits the response exactly.
    """
    if method not in ("reml", "ml"):
        raise ValueError(f"`method` must be one of reml, ml. Received: method={method!r}")
    with _one_blas_thread():
        return _fit(design, method)


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread: for matrices of this size, synchronizing threads costs more than it saves."""
    import scipy.linalg  # noqa: F401  load its BLAS, so that the limit applies to it
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield


def _fit(design: Design, method: str) -> MixedModel:
    """Fit a design; see `fit_design`."""
    reml = method == "reml"
    # For numerical stability, fit an equivalent model: orthonormalize X, then project X out of y and scale y.
    basis, triangle = np.linalg.qr(design.fixed)
    start = basis.T @ design.response
    remainder = design.response - basis @ start
    scale = float(np.sqrt(np.mean(remainder**2)))
    if scale <= 1e-12 * float(np.abs(design.response).max()):
        raise ValueError("the response must vary: the fixed effects fit it exactly")
    remainder /= scale
    cross = cross_products(list(design.codes), np.column_stack([basis, remainder]))
    solution = minimize_deviance(cross, reml)
    at = parts(cross, np.square(solution.theta))
    freedom = degrees_of_freedom(cross, reml)
    sigma = float(np.sqrt(at.residual.value / freedom))
    back = np.linalg.inv(triangle)
    covariance = (scale * sigma) ** 2 * back @ at.inverse @ back.T
    estimates = back @ (start + scale * at.coefficients)
    predicted = [theta**2 * score for theta, score in zip(solution.theta, at.scores, strict=True)]
    residuals = remainder - basis @ at.coefficients
    residuals -= sum(effects[code] for effects, code in zip(predicted, design.codes, strict=True))
    criterion = solution.deviance + 2 * freedom * np.log(scale) + 2 * reml * np.log(np.abs(np.diag(triangle))).sum()
    return MixedModel(
        method=method,
        fixed=_fixed_table(design.terms, estimates, covariance, satterthwaite(at, solution.theta, freedom, reml, back)),
        random=_variance_table(design, np.append(solution.theta, 1.0) * sigma * scale),
        criterion=float(criterion),
        scaled_residuals=tuple(np.quantile(residuals / sigma, (0, 0.25, 0.5, 0.75, 1)).tolist()),
        covariance=covariance,
        random_effects={
            group: dict(zip(levels, (scale * effects).tolist(), strict=True))
            for group, levels, effects in zip(design.groups, design.levels, predicted, strict=True)
        },
        n=len(design.response),
        converged=solution.converged,
        boundary=bool((solution.theta < BOUNDARY).any()),
        design=design,
    )


def _fixed_table(
    terms: Sequence[str], estimates: np.ndarray, covariance: np.ndarray, df: np.ndarray
) -> tuple[FixedEffect, ...]:
    from scipy.special import ndtr, stdtr

    errors = np.sqrt(np.diag(covariance))
    t = estimates / errors
    p = 2 * np.where(np.isinf(df), ndtr(-np.abs(t)), stdtr(np.where(np.isinf(df), 1.0, df), -np.abs(t)))
    rows = zip(terms, *(column.tolist() for column in (estimates, errors, df, t, p)), strict=True)
    return tuple(FixedEffect(*row) for row in rows)


def _variance_table(design: Design, deviations: np.ndarray) -> tuple[VarianceComponent, ...]:
    groups = (*design.groups, RESIDUAL)
    levels = (*map(len, design.levels), len(design.response))
    return tuple(VarianceComponent(g, s**2, s, n) for g, s, n in zip(groups, deviations.tolist(), levels, strict=True))


def confidence_intervals(model: MixedModel, level: float = 0.95) -> dict[str, tuple[float, float]]:
    """Compute Wald confidence intervals of the fixed effects with Satterthwaite's degrees of freedom.

    Args:
        model: a fitted model.
        level: confidence level in (0, 1).

    Returns:
        The lower and the upper bound by term.

    Raises:
        ValueError: if `level` is not in (0, 1).
    """
    from scipy.special import ndtri, stdtrit

    if not 0 < level < 1:
        raise ValueError(f"`level` must be in (0, 1). Received: level={level}")
    upper = (1 + level) / 2
    intervals = {}
    for row in model.fixed:
        quantile = float(ndtri(upper) if np.isinf(row.df) else stdtrit(row.df, upper))
        intervals[row.term] = (row.estimate - quantile * row.std_error, row.estimate + quantile * row.std_error)
    return intervals


def likelihood_ratio_test(smaller: MixedModel, larger: MixedModel) -> RatioTest:
    """Test two nested models by their likelihood ratio; REML fits are first refitted by maximum likelihood.

    The degrees of freedom are the number of additional parameters of the larger model. If it has an additional random
    factor, the null hypothesis is on the boundary of the parameter space and the p-value is conservative (up to twice
    too large).

    Args:
        smaller: fitted model whose terms are all in `larger`.
        larger: fitted model for the same response.

    Returns:
        A `RatioTest`.

    Raises:
        ValueError: if the responses differ or the models are not nested.
    """
    from scipy.special import gammaincc

    if not np.array_equal(smaller.design.response, larger.design.response):
        raise ValueError("`smaller` and `larger` must be fitted to the same response")
    _check_nested(smaller.design, larger.design)
    parameters = [model.design.fixed.shape[1] + len(model.design.groups) for model in (smaller, larger)]
    criteria = [
        model.criterion if model.method == "ml" else fit_design(model.design, "ml").criterion
        for model in (smaller, larger)
    ]
    df = parameters[1] - parameters[0]
    statistic = max(criteria[0] - criteria[1], 0.0)
    return RatioTest(statistic, df, float(gammaincc(df / 2, statistic / 2)))


def _check_nested(smaller: Design, larger: Design) -> None:
    """Raise an error unless the larger model has all fixed and random effects of the smaller one, and more."""
    coefficients = np.linalg.lstsq(larger.fixed, smaller.fixed, rcond=None)[0]
    spanned = np.allclose(larger.fixed @ coefficients, smaller.fixed, atol=1e-8 * np.abs(smaller.fixed).max())
    codes = dict(zip(larger.groups, larger.codes, strict=True))
    pairs = zip(smaller.groups, smaller.codes, strict=True)
    shared = all(group in codes and np.array_equal(codes[group], code) for group, code in pairs)
    grown = larger.fixed.shape[1] + len(larger.groups) > smaller.fixed.shape[1] + len(smaller.groups)
    if not (spanned and shared and grown):
        raise ValueError(
            "`smaller` must be nested in `larger`, which must have all terms of `smaller` and at least one more"
        )
