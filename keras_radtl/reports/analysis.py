"""Analyze a result table: a mixed model and rank tests, as text, DataFrames and box plots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from keras_radtl.config import UserError, require
from keras_radtl.config.errors import shown
from keras_radtl.reports.analysis_files import box_panels
from keras_radtl.reports.analysis_results import AnalysisResults, AnalysisSpec
from keras_radtl.reports.analysis_text import analysis_text
from keras_radtl.reports.data_frames import html_tables, rows_frame
from keras_radtl.reports.figure_files import new_shown_figure
from keras_radtl.reports.result_table import ResultTable, as_result_table
from keras_radtl.stats.mixed_design import factor_levels
from keras_radtl.stats.mixed_model import (
    VarianceComponent,
    confidence_intervals,
    fit_mixed_model,
    likelihood_ratio_test,
)
from keras_radtl.stats.ranks import StratumRankSum, rank_sums_within

if TYPE_CHECKING:
    import os

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_LEVELS = 40  # a factor with more levels gets no box plot, which would be unreadable


class Analysis(AnalysisResults):
    """The analysis of a result table, from `analyze_table`. `str()` of it is a report."""

    def __str__(self) -> str:
        return analysis_text(self).rstrip("\n")

    def __repr__(self) -> str:
        parts = [f"{self.spec.response}, n={self.n}"]
        parts += [f"{len(self.model.fixed)} fixed effects"] if self.model else []
        parts += [f"{len(self.ranks)} rank tests"] if self.ranks else []
        return f"<Analysis of {', '.join(parts)}>"

    def _repr_html_(self) -> str:
        tables = {"Fixed effects": self.fixed_effects, "Random effects": self.random_effects}
        return html_tables({**tables, "Rank sum tests": self.ranks_table}, [f"{self.spec.response}, n={self.n}"])

    @property
    def fixed_effects(self) -> pd.DataFrame:
        """Fixed effects by term: estimate, std_error, ci_low, ci_high (95 %), df, t, p. Empty without a mixed model."""
        columns = ("term", "estimate", "std_error", "ci_low", "ci_high", "df", "t", "p")
        rows = []
        for effect in self.model.fixed if self.model else ():
            low, high = self.intervals[effect.term]
            rows.append({**effect._asdict(), "ci_low": low, "ci_high": high})
        return rows_frame(rows, columns, "term")

    @property
    def random_effects(self) -> pd.DataFrame:
        """Variance components by group, the residual last: variance, std_dev, levels. Empty without a mixed model."""
        rows = (component._asdict() for component in (self.model.random if self.model else ()))
        return rows_frame(rows, VarianceComponent._fields, "group")

    @property
    def ranks_table(self) -> pd.DataFrame:
        """Rank sum tests, one row per pair of levels: stratum, levels, n, w, p, p_adjusted (Holm), method."""
        return rows_frame((test._asdict() for test in self.ranks), StratumRankSum._fields)

    def plot_boxes(self, factor: str, figure: Figure | None = None) -> list[Axes]:
        """Draw a box plot of the response by the levels of a factor, one panel per stratum.

        Args:
            factor: name of a column of the analysis.
            figure: matplotlib figure to draw on; None: a new figure of `matplotlib.pyplot`.
        Returns:
            The matplotlib axes, one per stratum.
        Raises:
            UserError: if the factor has no box plot; names those that have one.
        """
        if factor not in self.samples:
            raise UserError(f"`factor` must be one of {', '.join(self.samples)}. Received: factor={factor!r}")
        return box_panels(self, factor, new_shown_figure if figure is None else lambda width, height: figure)


def analyze_table(
    table: str | os.PathLike[str] | pd.DataFrame | ResultTable,
    response: str,
    fixed: Iterable[str] = (),
    random: Iterable[str] = (),
    categorical: Iterable[str] = (),
    reference: Mapping[str, str] | None = None,
    method: str = "reml",
    rank_by: str = "",
    within: str = "",
) -> Analysis:
    """Fit a linear mixed model to a table of results and compare levels by rank tests.

    Each row of the table is one experiment. As in R, rows with an empty cell are excluded from the analysis that uses
    the column, and listed: rows without a response from all, rows without a fixed or random effect from the mixed
    model, rows without `rank_by` or `within` from the rank tests.

    Args:
        table: path of a CSV with a header, or a pandas DataFrame.
        response: column of the measured quantity, such as "test_auc".
        fixed: columns of the fixed effects. Numbers are a slope, anything else is a factor.
        random: columns of factors with random intercepts; empty: no mixed model.
        categorical: fixed effects whose numbers are levels.
        reference: reference level by fixed factor; the default is the first level in sorted order.
        method: "reml" or "ml".
        rank_by: column whose levels are compared by rank sum tests; empty: no rank tests.
        within: compare them within each level of this column; empty: over the whole table.
    Returns:
        Analysis.
    Raises:
        UserError: names the column, row or argument, the rule and the value.
    """
    names = {"fixed": fixed, "random": random, "categorical": categorical}
    lists = {name: (values,) if isinstance(values, str) else tuple(values) for name, values in names.items()}
    spec = AnalysisSpec(response, **lists, reference=reference or {}, method=method, rank_by=rank_by, within=within)
    _check(spec)
    table = as_result_table(table)
    for name in spec.factors:
        table.column(name)
    kept, excluded = table.rows_with(spec.response)
    of_model, model_without = kept.without_empty((*spec.fixed, *spec.random) if spec.random else ())
    of_ranks, ranks_without = kept.without_empty(filter(None, (spec.rank_by, spec.within)))
    incomplete = {"mixed model": model_without, "rank tests": ranks_without}
    try:
        model, dropped = _fit(of_model, _response(of_model, spec), spec)
        ranks, kruskal = _rank(of_ranks, _response(of_ranks, spec), spec)
        intervals = confidence_intervals(model) if model else {}
    except UserError:
        raise
    except ValueError as error:
        message = str(error).replace("`", "'")  # these are names of columns, not of arguments
        raise UserError(f"{table.source}: {message}") from None
    n, samples = len((of_model if model else of_ranks).numbers), _samples(kept, spec)
    return Analysis(spec, n, excluded, incomplete, table.row_name, model, intervals, dropped, ranks, kruskal, samples)


def _check(spec: AnalysisSpec) -> None:
    """Refuse a question that no table can answer."""
    require(spec.method in ("reml", "ml"), "method", "one of reml, ml", spec.method)
    if spec.fixed and not spec.random:
        raise UserError("`fixed` needs `random`: a mixed model has at least one random factor")
    if not spec.random and not spec.rank_by:
        raise UserError("Set `random` for a mixed model, `rank_by` for rank tests, or both")
    if spec.within and not spec.rank_by:
        raise UserError("`within` needs `rank_by`: it is for rank tests")
    if spec.response in spec.factors:
        raise UserError(f"{spec.response!r} must not be both the response and a factor")


def _fit(table: ResultTable, response: list[float], spec: AnalysisSpec):
    """Return the mixed model and the test of each of its fixed effects; (None, {}) without random factors."""
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
    strata, levels = table.factor(spec.within) if spec.within else None, table.factor(spec.rank_by)
    if len(set(levels)) < 2:
        rule = f"{spec.rank_by!r} must have at least two different values"
        raise UserError(f"{table.source}: {rule}. Received: {shown(levels[0])}")
    return rank_sums_within(response, levels, strata)


def _response(table: ResultTable, spec: AnalysisSpec) -> list[float]:
    return [float(cell) for cell in table.column(spec.response)]


def _samples(table: ResultTable, spec: AnalysisSpec) -> dict:
    """Group the response for the box plots: by every factor, within each stratum if there are strata."""
    samples: dict[str, dict[str, dict[str, list[float]]]] = {}
    for name in spec.factors:
        rows = table.without_empty(filter(None, (name, spec.within)))[0]
        response, values = _response(rows, spec), rows.factor(name)
        strata = rows.factor(spec.within) if spec.within else ("",) * len(response)
        order, levels = factor_levels(strata)[0], factor_levels(values)[0]
        if len(levels) > MOST_LEVELS:
            continue
        split = name != spec.within
        samples[name] = {stratum: {level: [] for level in levels} for stratum in (order if split else ("",))}
        for value, level, stratum in zip(response, values, strata, strict=True):
            samples[name][stratum if split else ""][level].append(value)
    return samples
