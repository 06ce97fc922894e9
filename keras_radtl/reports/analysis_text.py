"""The analysis of a result table as plain text, in the order in which such tables are printed in papers."""

from __future__ import annotations

from collections.abc import Sequence

from keras_radtl.reports.analysis import Analysis
from keras_radtl.reports.result_table import line_list
from keras_radtl.stats.mixed_model import RESIDUAL, MixedModel

_STARS = ((0.001, " ***"), (0.01, " **"), (0.05, " *"), (0.1, " ."))
_LEGEND = "  *** p < 0.001, ** p < 0.01, * p < 0.05, . p < 0.1"
_QUANTILES = ("min", "1Q", "median", "3Q", "max")


def analysis_text(found: Analysis) -> str:
    """Return the mixed model and the rank tests as text tables."""
    lines = []
    if found.left_out:
        rows = "row" if len(found.left_out) == 1 else "rows"
        lines += [
            f"LEFT OUT: {len(found.left_out)} {rows} without {found.spec.response}, {line_list(found.left_out)}",
            "",
        ]
    if found.model:
        lines += _model_lines(found, found.model)
    if found.ranks:
        lines += ([""] if found.model else []) + _rank_lines(found)
    return "\n".join(lines) + "\n"


def _model_lines(found: Analysis, model: MixedModel) -> list[str]:
    spec = found.spec
    terms = " + ".join((*spec.fixed, *(f"(1 | {name})" for name in spec.random)))
    lines = [f"Linear mixed model by {model.method.upper()}: {spec.response} ~ {terms}", "", "Fixed effects"]
    table = [["", "Estimate", "Std. error", "95 % interval", "df", "t", "p"]]
    for row in model.fixed:
        low, high = found.intervals[row.term]
        numbers = [f"{row.estimate:.4g}", f"{row.std_error:.4g}", f"[{low:.4g}, {high:.4g}]"]
        table.append([row.term, *numbers, f"{row.df:.4g}", f"{row.t:.3f}", p_text(row.p)])
    lines += columns(table) + [_LEGEND, "  df by Satterthwaite's method, p two-sided from Student's t"]
    lines += ["", "Random effects"]
    table = [["", "Levels", "Variance", "Std. deviation"]]
    for row in model.random:
        levels = "" if row.group == RESIDUAL else str(row.levels)
        table.append([row.group, levels, f"{row.variance:.4g}", f"{row.std_dev:.4g}"])
    lines += columns(table)
    criterion = "REML criterion" if model.method == "reml" else "-2 log-likelihood"
    quantiles = zip(_QUANTILES, model.scaled_residuals, strict=True)
    lines += ["", f"Observations: {model.n}", f"{criterion}: {model.criterion:.4f}"]
    lines += ["Scaled residuals: " + ", ".join(f"{name} {value:.4f}" for name, value in quantiles)]
    if found.dropped:
        lines += ["", "Without one fixed effect (likelihood ratio, ML)"]
        table = [["", "Chi-squared", "df", "p"]]
        table += [[name, f"{test.statistic:.4g}", str(test.df), p_text(test.p)] for name, test in found.dropped.items()]
        lines += columns(table)
    if model.boundary:
        zero = [row.group for row in model.random[:-1] if row.std_dev < 1e-4 * model.random[-1].std_dev]
        lines += ["", f"NOTE: singular fit, the variance is at its bound, zero: {', '.join(zero)}"]
    if not model.converged:
        lines += ["", "WARNING: the search did not converge; do not rely on these figures"]
    return lines


def _rank_lines(found: Analysis) -> list[str]:
    spec = found.spec
    within = f" within {spec.within}" if spec.within else ""
    lines = [f"Wilcoxon rank sum tests: {spec.response} by {spec.rank_by}{within}", ""]
    table = [["", "Levels", "n", "W", "p", "p (Holm)", "Method"]]
    for row in found.ranks:
        counts = f"{row.n[0]}, {row.n[1]}"
        levels = f"{row.levels[0]} - {row.levels[1]}"
        table.append([row.stratum, levels, counts, f"{row.w:g}", p_text(row.p), p_text(row.p_adjusted), row.method])
    lines += columns(table)
    lines += [
        "  W is R's: rank sum of the first level less n1 (n1 + 1) / 2. Rows are taken as independent; results that",
        "  share data and settings are not, and p is too small for them.",
    ]
    if found.kruskal:
        lines += ["", "Kruskal-Wallis tests of all levels", ""]
        table = [["", "Chi-squared", "df", "p"]]
        table += [[row.stratum, f"{row.statistic:.4g}", str(row.df), p_text(row.p)] for row in found.kruskal]
        lines += columns(table)
    return lines


def p_text(p: float) -> str:
    """Return a p-value to four digits, with its stars."""
    text = "< 2e-16" if p < 2e-16 else f"{p:.3g}"
    return text + next((stars for bound, stars in _STARS if p < bound), "")


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Align cells in columns, two blanks apart and indented."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
