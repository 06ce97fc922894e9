"""The analysis of a result table: mixed model and rank tests, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from keras_radtl.config import UserError
from keras_radtl.reports.result_table import ResultTable
from keras_radtl.stats.mixed_design import factor_levels
from keras_radtl.stats.mixed_model import (
    MixedModel,
    RatioTest,
    confidence_intervals,
    fit_mixed_model,
    likelihood_ratio_test,
)
from keras_radtl.stats.ranks import StratumKruskal, StratumRankSum, rank_sums_within

MOST_LEVELS = 40  # a factor with more levels gets no figure: its boxes could not be told apart


@dataclass(frozen=True)
class AnalysisSpec:
    """What is asked of a table: names of columns, and how the model is fitted.

    Attributes:
        response: the measure.
        fixed: fixed effects.
        random: factors with random intercepts; empty: no mixed model.
        categorical: fixed effects whose numbers are levels.
        reference: reference level by fixed factor.
        method: "reml" or "ml".
        rank_by: factor whose levels are compared by rank tests; empty: none.
        within: factor within whose levels they are; empty: over the whole table.
    """

    response: str
    fixed: tuple[str, ...] = ()
    random: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    reference: Mapping[str, str] = field(default_factory=dict)
    method: str = "reml"
    rank_by: str = ""
    within: str = ""


@dataclass(frozen=True)
class Analysis:
    """Answers to a spec.

    Attributes:
        spec: what was asked.
        n: rows with a response.
        left_out: lines of the file without one.
        model: the mixed model, if one was asked for.
        intervals: 95 % intervals of its fixed effects by term.
        dropped: by fixed effect, the likelihood-ratio test against the model without it.
        ranks: rank sum tests of pairs of levels.
        kruskal: joint tests of more than two levels.
        samples: values by factor, stratum ("" where there is none) and level, for the figures.
    """

    spec: AnalysisSpec
    n: int
    left_out: tuple[int, ...]
    model: MixedModel | None
    intervals: dict[str, tuple[float, float]]
    dropped: dict[str, RatioTest]
    ranks: list[StratumRankSum]
    kruskal: list[StratumKruskal]
    samples: dict[str, dict[str, dict[str, list[float]]]]


def analyze_table(table: ResultTable, spec: AnalysisSpec) -> Analysis:
    """Answer a spec about a table.

    Raises:
        UserError: naming the column, line or option that is wrong.
    """
    names = (*spec.fixed, *spec.random, *filter(None, (spec.rank_by, spec.within)))
    if spec.response in names:
        raise UserError(f"`{spec.response}` must not be both the response and a factor")
    for name in names:
        table.column(name)
    kept, left_out = table.rows_with(spec.response)
    response = [float(cell) for cell in kept.column(spec.response)]
    try:
        model, dropped = _fit(kept, response, spec)
        ranks, kruskal = _rank(kept, response, spec)
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{table.path}: {error}") from None
    return Analysis(
        spec,
        len(response),
        left_out,
        model,
        confidence_intervals(model) if model else {},
        dropped,
        ranks,
        kruskal,
        _samples(kept, response, spec),
    )


def _fit(table: ResultTable, response: list[float], spec: AnalysisSpec):
    """Return the mixed model and the tests of its terms, or nothing where none is asked for."""
    if not spec.random:
        return None, {}
    as_levels = {*spec.categorical, *spec.reference}
    fixed = {name: table.factor(name) if name in as_levels else table.covariate(name) for name in spec.fixed}
    random = {name: table.factor(name) for name in spec.random}
    model = fit_mixed_model(response, fixed, random, spec.method, spec.reference, spec.categorical)
    dropped = {}
    for name in fixed:
        others = {other: values for other, values in fixed.items() if other != name}
        reference = {other: level for other, level in spec.reference.items() if other != name}
        categorical = [other for other in spec.categorical if other != name]
        smaller = fit_mixed_model(response, others, random, "ml", reference, categorical)
        dropped[name] = likelihood_ratio_test(smaller, model)
    return model, dropped


def _rank(table: ResultTable, response: list[float], spec: AnalysisSpec):
    if not spec.rank_by:
        return [], []
    strata = table.factor(spec.within) if spec.within else None
    return rank_sums_within(response, table.factor(spec.rank_by), strata)


def _samples(table: ResultTable, response: list[float], spec: AnalysisSpec) -> dict:
    """Group the response for the figures: every factor, within the strata where there are any."""
    strata = table.factor(spec.within) if spec.within else ("",) * len(response)
    order = factor_levels(strata)[0]
    samples: dict[str, dict[str, dict[str, list[float]]]] = {}
    for name in dict.fromkeys((*spec.fixed, *spec.random, *filter(None, (spec.rank_by, spec.within)))):
        values = table.factor(name)
        levels = factor_levels(values)[0]
        if len(levels) > MOST_LEVELS:
            continue
        split = name != spec.within
        samples[name] = {stratum: {level: [] for level in levels} for stratum in (order if split else ("",))}
        for value, level, stratum in zip(response, values, strata, strict=True):
            samples[name][stratum if split else ""][level].append(value)
    return samples
