"""Linear mixed models with crossed random intercepts, fitted by REML or maximum likelihood as lme4 and lmerTest do.

Reference: Bates, Maechler, Bolker, Walker (2015), J. Stat. Softw. 67(1); Kuznetsova, Brockhoff, Christensen (2017),
J. Stat. Softw. 82(13).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from keras_radtl.stats.mixed_design import Design, make_design
from keras_radtl.stats.mixed_likelihood import degrees_of_freedom, minimise, parts
from keras_radtl.stats.satterthwaite import satterthwaite
from keras_radtl.stats.variance_components import cross_products

BOUNDARY = 1e-4  # a relative standard deviation below it makes a fit singular, lme4's rule
RESIDUAL = "Residual"


class FixedEffect(NamedTuple):
    """One row of the table of fixed effects; `p` is two-sided from Student's t with Satterthwaite's `df`."""

    term: str
    estimate: float
    std_error: float
    df: float
    t: float
    p: float


class VarianceComponent(NamedTuple):
    """Variance of one random factor, or of the residual; `levels` is the number of levels (rows for the residual)."""

    group: str
    variance: float
    std_dev: float
    levels: int


class RatioTest(NamedTuple):
    """Likelihood-ratio test of nested models: chi-squared statistic, its degrees of freedom and p."""

    statistic: float
    df: int
    p: float


@dataclass(frozen=True)
class MixedModel:
    """A fitted linear mixed model.

    Attributes:
        method: "reml" or "ml".
        fixed: table of fixed effects, the intercept first.
        random: variance components in the order of the random factors, the residual last.
        criterion: minus twice the restricted (REML) or plain (ML) log-likelihood at the optimum.
        scaled_residuals: minimum, quartiles and maximum of (y - fitted) / residual standard deviation.
        covariance: float64 (p, p), of the fixed effects.
        random_effects: predicted effect of each level, by group and level.
        n: number of rows.
        converged: whether gradient and bounds satisfy the conditions of an optimum.
        boundary: whether a variance is zero (singular fit).
        design: what the model was fitted to.
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
        fixed: values of each fixed term by name; may be empty. Numbers make a covariate, anything else a factor.
        random: values of each random factor by name, at least one.
        method: "reml" or "ml".
        reference: reference level by fixed factor; default the first in sorted order.
        categorical: names of fixed terms whose numbers are levels of a factor.

    Raises:
        ValueError: if no such model can be fitted; the message names the term.
    """
    return fit_design(make_design(response, fixed, random, reference, categorical), method)


def fit_design(design: Design, method: str = "reml") -> MixedModel:
    """Fit a linear mixed model to a design that is already coded.

    Args:
        design: from `make_design`.
        method: "reml" or "ml".
    """
    if method not in ("reml", "ml"):
        raise ValueError(f"`method` must be one of reml, ml. Received: method={method!r}")
    with _one_blas_thread():
        return _fit(design, method)


@contextmanager
def _one_blas_thread():
    """Keep BLAS to one thread: on matrices of this size threads lose more by waiting, on a busy machine all of it."""
    import scipy.linalg  # noqa: F401  its BLAS has to be loaded before it can be limited
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield


def _fit(design: Design, method: str) -> MixedModel:
    """Fit the model; see `fit_design`."""
    reml = method == "reml"
    # An orthonormal basis of X and a response with X and its scale taken out: the same model, without rounding trouble.
    basis, triangle = np.linalg.qr(design.fixed)
    start = basis.T @ design.response
    remainder = design.response - basis @ start
    scale = float(np.sqrt(np.mean(remainder**2)))
    if scale <= 1e-12 * float(np.abs(design.response).max()):
        raise ValueError("the response must vary: the fixed effects reproduce it exactly")
    remainder /= scale
    cross = cross_products(list(design.codes), np.column_stack([basis, remainder]))
    solution = minimise(cross, reml)
    at = parts(cross, np.square(solution.theta))
    freedom = degrees_of_freedom(cross, reml)
    sigma = float(np.sqrt(at.residual.value / freedom))
    back = np.linalg.inv(triangle)
    covariance = (scale * sigma) ** 2 * back @ at.inverse @ back.T
    estimates = back @ (start + scale * at.coefficients)
    predicted = [theta**2 * score for theta, score in zip(solution.theta, at.scores, strict=True)]
    residuals = remainder - basis @ at.coefficients
    residuals -= sum(effects[code] for effects, code in zip(predicted, design.codes, strict=True))
    criterion = solution.criterion + 2 * freedom * np.log(scale) + 2 * reml * np.log(np.abs(np.diag(triangle))).sum()
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


def _fixed_table(terms, estimates: np.ndarray, covariance: np.ndarray, df: np.ndarray) -> tuple[FixedEffect, ...]:
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
    """Compute Wald intervals of the fixed effects from Student's t with Satterthwaite's degrees of freedom.

    Args:
        model: a fitted model.
        level: confidence level in (0, 1).

    Returns:
        (low, high) by term.
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
    """Compare two nested models by their likelihood ratio; REML fits are refitted by maximum likelihood first.

    Fixed effects are compared by chi-squared with as many degrees of freedom as the larger model has more parameters.
    Where it has another random factor the null value lies on the boundary, so that p is too large (up to twice).

    Args:
        smaller: the model whose terms are all in `larger`.
        larger: the other, fitted to the same response.

    Raises:
        ValueError: if the responses differ or the models are not nested.
    """
    from scipy.special import gammaincc

    if not np.array_equal(smaller.design.response, larger.design.response):
        raise ValueError("models must be fitted to the same response to be compared")
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
    """Refuse models of which neither the columns nor the random factors of one lie within the other's."""
    coefficients = np.linalg.lstsq(larger.fixed, smaller.fixed, rcond=None)[0]
    spanned = np.allclose(larger.fixed @ coefficients, smaller.fixed, atol=1e-8 * np.abs(smaller.fixed).max())
    codes = dict(zip(larger.groups, larger.codes, strict=True))
    pairs = zip(smaller.groups, smaller.codes, strict=True)
    shared = all(group in codes and np.array_equal(codes[group], code) for group, code in pairs)
    grown = larger.fixed.shape[1] + len(larger.groups) > smaller.fixed.shape[1] + len(smaller.groups)
    if not (spanned and shared and grown):
        raise ValueError("models must be nested: every term of the smaller one in the larger, which has more of them")
