"""The comparison of all runs of a sweep: figures, and mixed models or a table of fine-tuning strategies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from keras_radtl.config import UserError
from keras_radtl.reports.text_table import text_table
from keras_radtl.sweeps.factor_figures import draw_factors, varying_factors
from keras_radtl.sweeps.results import FAILED, FINISHED, OPEN, SKIPPED, Results
from keras_radtl.sweeps.study import Study, StudyAnalysis

RESPONSE = "test_auc"
ANALYSIS = "analysis.json"  # of the first analysis; further ones have the names of their fixed factors


def close(results: Results, study: Study) -> str:
    """Write figures and tables of a sweep and return the text that the command prints last.

    Args:
        results: Table of the sweep.
        study: Study with its analyses, or with `compare` for a table of strategies.
    """
    parts = [_folds(results)]
    parts += [_compare(results)] if study.compare else _analyze(results, study.analyses)
    return "\n".join(filter(None, [*parts, _figures(results), _ending(results)])) + "\n"


def counts(rows: Iterable[Mapping]) -> str:
    """Return the number of runs of each status, such as `22 finished, 1 failed`."""
    found = Counter(row["status"] for row in rows)
    return ", ".join(f"{found[status]} {status}" for status in (FINISHED, FAILED, SKIPPED, OPEN) if found[status])


def _ending(results: Results) -> str:
    lines = [
        f"{status}: {row['name']} ({row.get('error', '')})"
        for status in (SKIPPED, FAILED)
        for row in results.with_status(status)
    ]
    diverged = [row["name"] for row in results.with_status(FINISHED) if row.get("diverged")]
    lines += [f"diverged: {', '.join(diverged)}; use a lower learning rate"] if diverged else []
    return "\n".join([*lines, f"runs:     {counts(results.rows.values())}", f"results:  {results.folder.results}"])


def _folds(results: Results) -> str:
    """Return mean and standard deviation over folds of the runs with folds, the best first."""
    rows = [row for row in results.with_status(FINISHED) if row.get("fold_auc_mean") is not None]
    rows.sort(key=lambda row: -row["fold_auc_mean"])
    cells = [[row["name"], f"{row['fold_auc_mean']:.3f} ({row['fold_auc_sd']:.3f})"] for row in rows]
    return f"test AUC over folds, mean (SD)\n{text_table(cells)}\n" if cells else ""


def _measured(results: Results) -> list[dict]:
    return [row for row in results.with_status(FINISHED) if row.get(RESPONSE) is not None]


def _figures(results: Results) -> str:
    """Draw a box plot of each factor that varies."""
    paths = draw_factors(results.folder.path / "figures", _measured(results), results.factors, RESPONSE)
    return "\n".join(f"figure:   {path}" for path in paths)


def _analyze(results: Results, analyses: Sequence[StudyAnalysis]) -> list[str]:
    """Fit the mixed models whose fixed factors vary; returns a text for each.

    If there is none, the variance components of all factors are estimated.
    """
    rows, texts = _measured(results), []
    chosen = [analysis for analysis in analyses if _replicated(rows, analysis.fixed)] or [StudyAnalysis()]
    for analysis in chosen:
        fixed = _replicated(rows, analysis.fixed)
        names = results.factors if analysis.random is None else analysis.random
        random = _replicated(rows, [name for name in names if name not in fixed])
        if not random:
            continue
        name = f"analysis_{'_'.join(fixed)}.json" if texts else ANALYSIS
        text = _fit(results, fixed, random, results.folder.path / name)
        texts.append(f"{analysis.title}\n{text}" if analysis.title else text)
    return texts


def _replicated(rows: Sequence[dict], names: Sequence[str]) -> tuple[str, ...]:
    """Return the factors that vary and of which a level occurs twice."""
    return tuple(name for name in varying_factors(rows, names) if len({row.get(name) for row in rows}) < len(rows))


def _fit(results: Results, fixed: tuple[str, ...], random: tuple[str, ...], path: Path) -> str:
    from keras_radtl.reports.analysis import analyze_table
    from keras_radtl.reports.analysis_files import write_analysis

    rank_by = next(iter(fixed), "")
    within = "task" if rank_by and "task" in random else ""
    try:
        found = analyze_table(
            results.folder.results, RESPONSE, fixed, random, categorical=fixed, rank_by=rank_by, within=within
        )
    except UserError as error:
        return f"no analysis: {error}\n"
    write_analysis(path, found)
    return f"{found}\n\nanalysis: {path}\n"


def _compare(results: Results) -> str:
    """Write the table of strategies, its figure and its tests."""
    from keras_radtl.sweeps.strategy_comparison import compare_strategies
    from keras_radtl.sweeps.strategy_report import strategy_text, write_strategy_comparison

    found = compare_strategies(results)
    files = write_strategy_comparison(results.folder.path, found)
    return strategy_text(found) + "\n" + "".join(f"{path}\n" for path in files)
