"""The end of a sweep: what failed, by name, figures and mixed model over all runs, or the table of strategies."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

from keras_radtl.config import UserError
from keras_radtl.sweeps.results import FAILED, FINISHED, OPEN, SKIPPED, Results

RESPONSE = "test_auc"


def close(results: Results, module: ModuleType) -> str:
    """Write figures and tables of a sweep and return what its command says at the end.

    Args:
        results: table of the sweep.
        module: the list of runs; its `COMPARE`, `FIXED` and `RANDOM` say what is shown.
    """
    parts = [_folds(results)]
    if getattr(module, "COMPARE", False):
        parts.append(_compare(results))
    else:
        parts.append(_analyze(results, getattr(module, "FIXED", ()), getattr(module, "RANDOM", None)))
    return "\n".join(filter(None, [*parts, _counts(results)])) + "\n"


def _counts(results: Results) -> str:
    lines = [
        f"{status}: {row['name']} ({row.get('error', '')})"
        for status in (SKIPPED, FAILED)
        for row in results.with_status(status)
    ]
    counts = ", ".join(
        f"{len(rows)} {status}" for status in (FINISHED, FAILED, SKIPPED, OPEN) if (rows := results.with_status(status))
    )
    return "\n".join([*lines, f"runs:     {counts}", f"results:  {results.folder.results}"])


def _folds(results: Results) -> str:
    """Return mean and standard deviation over folds, where runs have folds, best first."""
    rows = [row for row in results.with_status(FINISHED) if row.get("fold_auc_mean") is not None]
    rows.sort(key=lambda row: -row["fold_auc_mean"])
    width = max((len(row["name"]) for row in rows), default=0)
    lines = [f"{row['name'].ljust(width)}  {row['fold_auc_mean']:.3f} ({row['fold_auc_sd']:.3f})" for row in rows]
    return "\n".join(["test AUC over folds, mean (SD)", *lines, ""]) if lines else ""


def _varying(rows: Sequence[dict], names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names if 1 < len({row.get(name) for row in rows}) < len(rows))


def _analyze(results: Results, fixed: Sequence[str], random: Sequence[str] | None) -> str:
    """Fit the mixed model and draw a box plot of each factor that varies."""
    from keras_radtl.reports.analysis import AnalysisSpec, analyze_table
    from keras_radtl.reports.analysis_files import draw_analysis, write_analysis
    from keras_radtl.reports.analysis_text import analysis_text
    from keras_radtl.reports.result_table import read_result_table

    rows = [row for row in results.with_status(FINISHED) if row.get(RESPONSE) is not None]
    factors = list(dict.fromkeys(factor for run in results.runs for factor in run.factors))
    fixed = _varying(rows, fixed)
    random = _varying(rows, [name for name in (factors if random is None else random) if name not in fixed])
    if not random:
        return ""
    rank_by = next(iter(fixed), "")
    within = "task" if rank_by and "task" in random else ""
    spec = AnalysisSpec(RESPONSE, fixed, random, categorical=fixed, rank_by=rank_by, within=within)
    folder = results.folder.path
    try:
        found = analyze_table(read_result_table(results.folder.results), spec)
    except UserError as error:
        return f"no analysis: {error}\n"
    write_analysis(folder / "analysis.json", found)
    figures = draw_analysis(folder / "figures", found)
    return analysis_text(found) + "\n" + "".join(f"figure:   {path}\n" for path in figures)


def _compare(results: Results) -> str:
    """Write the table of strategies, its figure and its tests."""
    from keras_radtl.sweeps.strategy_comparison import compare_strategies
    from keras_radtl.sweeps.strategy_report import comparison_text, write_comparison

    found = compare_strategies(results)
    files = write_comparison(results.folder.path, found)
    return comparison_text(found) + "\n" + "".join(f"{path}\n" for path in files)
