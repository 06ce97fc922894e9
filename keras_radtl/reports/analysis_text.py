"""The analysis of a result table as text, in the order in which papers print such tables."""

from __future__ import annotations

from keras_radtl.reports.analysis_results import AnalysisResults
from keras_radtl.reports.result_table import row_list
from keras_radtl.reports.text_table import text_table
from keras_radtl.stats.mixed_model import RESIDUAL, MixedModel

_STARS = ((0.001, " ***"), (0.01, " **"), (0.05, " *"), (0.1, " ."))
_LEGEND = "  *** p < 0.001, ** p < 0.01, * p < 0.05, . p < 0.1"
_QUANTILES = ("min", "1Q", "median", "3Q", "max")


def analysis_text(found: AnalysisResults) -> str:
    """Return the excluded rows, the mixed model and the rank tests as text tables."""
    lines = []
    if found.excluded:
        count = f"{len(found.excluded)} row{'s' * (len(found.excluded) != 1)}"
        where = row_list(found.excluded, found.row_name)
        lines += [f"EXCLUDED: {count} without {found.spec.response}, {where}", ""]
    for analysis, left_out in found.incomplete.items():
        if left_out.rows:
            count = f"{len(left_out.rows)} row{'s' * (len(left_out.rows) != 1)}"
            where = row_list(left_out.rows, found.row_name)
            empty = " or ".join(left_out.columns)
            lines += [f"EXCLUDED from the {analysis}: {count} with an empty cell of {empty}, {where}", ""]
    if found.model:
        lines += _model_lines(found, found.model)
    if found.ranks:
        lines += ([""] if found.model else []) + _rank_lines(found)
    return "\n".join(lines) + "\n"


def _model_lines(found: AnalysisResults, model: MixedModel) -> list[str]:
    spec = found.spec
    terms = " + ".join((*spec.fixed, *(f"(1 | {name})" for name in spec.random)))
    lines = [f"Linear mixed model by {model.method.upper()}: {spec.response} ~ {terms}", "", "Fixed effects"]
    table = [["", "Estimate", "Std. error", "95 % interval", "df", "t", "p"]]
    for row in model.fixed:
        low, high = found.intervals[row.term]
        numbers = [f"{row.estimate:.4g}", f"{row.std_error:.4g}", f"[{low:.4g}, {high:.4g}]"]
        table.append([row.term, *numbers, f"{row.df:.4g}", f"{row.t:.3f}", p_text(row.p)])
    lines += [_table(table), _LEGEND, "  df by Satterthwaite's method, p two-sided from Student's t"]
    lines += ["", "Random effects"]
    table = [["", "Levels", "Variance", "Std. deviation"]]
    for component in model.random:
        levels = "" if component.group == RESIDUAL else str(component.levels)
        table.append([component.group, levels, f"{component.variance:.4g}", f"{component.std_dev:.4g}"])
    lines.append(_table(table))
    criterion = "REML criterion" if model.method == "reml" else "-2 log-likelihood"
    quantiles = zip(_QUANTILES, model.scaled_residuals, strict=True)
    lines += ["", f"Observations: {model.n}", f"{criterion}: {model.criterion:.4f}"]
    lines += ["Scaled residuals: " + ", ".join(f"{name} {value:.4f}" for name, value in quantiles)]
    if found.dropped:
        lines += ["", "Model without one fixed effect (likelihood-ratio test, ML)"]
        table = [["", "Chi-squared", "df", "p"]]
        table += [[name, f"{test.statistic:.4g}", str(test.df), p_text(test.p)] for name, test in found.dropped.items()]
        lines.append(_table(table))
    if model.boundary:
        zero = [row.group for row in model.random[:-1] if row.std_dev < 1e-4 * model.random[-1].std_dev]
        lines += ["", f"NOTE: singular fit, variance estimated as zero: {', '.join(zero)}"]
    if not model.converged:
        lines += ["", "WARNING: the optimization did not converge; do not rely on these estimates"]
    return lines


def _rank_lines(found: AnalysisResults) -> list[str]:
    spec = found.spec
    within = f" within {spec.within}" if spec.within else ""
    lines = [f"Wilcoxon rank sum tests: {spec.response} by {spec.rank_by}{within}", ""]
    table = [["", "Levels", "n", "W", "p", "p (Holm)", "Method"]]
    for row in found.ranks:
        counts = f"{row.n[0]}, {row.n[1]}"
        levels = f"{row.levels[0]} - {row.levels[1]}"
        table.append([row.stratum, levels, counts, f"{row.w:g}", p_text(row.p), p_text(row.p_adjusted), row.method])
    lines.append(_table(table))
    lines += [
        "  W as in R: rank sum of the first level minus n1 (n1 + 1) / 2. The tests assume independent rows; for",
        "  results that share data or settings, p is too small.",
    ]
    if found.kruskal:
        lines += ["", "Kruskal-Wallis tests of all levels", ""]
        table = [["", "Chi-squared", "df", "p"]]
        table += [[row.stratum, f"{row.statistic:.4g}", str(row.df), p_text(row.p)] for row in found.kruskal]
        lines.append(_table(table))
    return lines


def p_text(p: float) -> str:
    """Return a p-value with three significant digits and its significance stars."""
    text = "< 2e-16" if p < 2e-16 else f"{p:.3g}"
    return text + next((stars for bound, stars in _STARS if p < bound), "")


def _table(rows: list[list[str]]) -> str:
    return text_table(rows, indent=2)
