"""The comparison at the end of a sweep: figures and mixed model over all runs, or the table of strategies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from keras_radtl.config import UserError
from keras_radtl.reports.text_table import text_table
from keras_radtl.sweeps.results import FAILED, FINISHED, OPEN, SKIPPED, Results
from keras_radtl.sweeps.study import Study

RESPONSE = "test_auc"


def close(results: Results, study: Study) -> str:
    """Write figures and tables of a sweep and return the text that the command prints at its end.

    Args:
        results: table of the sweep.
        study: with the factors of the mixed model, or `compare` for a table of strategies.
    """
    parts = [_folds(results)]
    parts.append(_compare(results) if study.compare else _analyze(results, study.fixed, study.random))
    return "\n".join(filter(None, [*parts, _ending(results)])) + "\n"


def counts(rows: Iterable[Mapping]) -> str:
    """Return the number of runs of each status: `22 finished, 1 failed`."""
    found = Counter(row["status"] for row in rows)
    return ", ".join(f"{found[status]} {status}" for status in (FINISHED, FAILED, SKIPPED, OPEN) if found[status])


def _ending(results: Results) -> str:
    lines = [
        f"{status}: {row['name']} ({row.get('error', '')})"
        for status in (SKIPPED, FAILED)
        for row in results.with_status(status)
    ]
    return "\n".join([*lines, f"runs:     {counts(results.rows.values())}", f"results:  {results.folder.results}"])


def _folds(results: Results) -> str:
    """Return mean and standard deviation over folds of the runs with folds, best first."""
    rows = [row for row in results.with_status(FINISHED) if row.get("fold_auc_mean") is not None]
    rows.sort(key=lambda row: -row["fold_auc_mean"])
    cells = [[row["name"], f"{row['fold_auc_mean']:.3f} ({row['fold_auc_sd']:.3f})"] for row in rows]
    return f"test AUC over folds, mean (SD)\n{text_table(cells)}\n" if cells else ""


def _varying(rows: Sequence[dict], names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names if 1 < len({row.get(name) for row in rows}) < len(rows))


def _analyze(results: Results, fixed: Sequence[str], random: Sequence[str] | None) -> str:
    """Fit the mixed model and draw a box plot of each factor that varies."""
    from keras_radtl.reports.analysis import analyze_table
    from keras_radtl.reports.analysis_files import draw_analysis, write_analysis

    rows = [row for row in results.with_status(FINISHED) if row.get(RESPONSE) is not None]
    factors = list(dict.fromkeys(factor for run in results.runs for factor in run.factors))
    fixed = _varying(rows, fixed)
    random = _varying(rows, [name for name in (factors if random is None else random) if name not in fixed])
    if not random:
        return ""
    rank_by = next(iter(fixed), "")
    within = "task" if rank_by and "task" in random else ""
    folder = results.folder.path
    try:
        found = analyze_table(
            results.folder.results, RESPONSE, fixed, random, categorical=fixed, rank_by=rank_by, within=within
        )
    except UserError as error:
        return f"no analysis: {error}\n"
    write_analysis(folder / "analysis.json", found)
    figures = draw_analysis(folder / "figures", found)
    return f"{found}\n\n" + "".join(f"figure:   {path}\n" for path in figures)


def _compare(results: Results) -> str:
    """Write the table of strategies, its figure and its tests."""
    from keras_radtl.sweeps.strategy_comparison import compare_strategies
    from keras_radtl.sweeps.strategy_report import strategy_text, write_strategy_comparison

    found = compare_strategies(results)
    files = write_strategy_comparison(results.folder.path, found)
    return strategy_text(found) + "\n" + "".join(f"{path}\n" for path in files)
