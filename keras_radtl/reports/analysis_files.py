"""The analysis of a result table as JSON and as box plots."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from keras_radtl.reports.analysis_results import AnalysisResults
from keras_radtl.reports.figure_files import new_figure, save_figure
from keras_radtl.runs.files import write_json


def write_analysis(path: Path, found: AnalysisResults) -> None:
    """Write an analysis as strictly valid JSON; undefined values are null."""
    model, spec = found.model, found.spec
    fixed = [
        row._asdict() | dict(zip(("ci_low", "ci_high"), found.intervals[row.term], strict=True))
        for row in (model.fixed if model else ())
    ]
    write_json(
        path,
        {
            "response": spec.response,
            "method": spec.method if model else None,
            "fixed": [{key: _finite(value) for key, value in row.items()} for row in fixed],
            "random": [row._asdict() for row in (model.random if model else ())],
            "reml_criterion": model.criterion if model and spec.method == "reml" else None,
            "ml_criterion": model.criterion if model and spec.method == "ml" else None,
            "scaled_residuals": list(model.scaled_residuals) if model else None,
            "n": found.n,
            "converged": model.converged if model else None,
            "boundary": model.boundary if model else None,
            "dropped_terms": [{"term": term} | test._asdict() for term, test in found.dropped.items()],
            "ranks": [row._asdict() for row in found.ranks],
            "kruskal": [row._asdict() for row in found.kruskal],
            "lines_left_out": _left_out(found, "mixed model" if model else "rank tests"),
            "rank_lines_left_out": _left_out(found, "rank tests") if found.ranks else [],
        },
    )


def _left_out(found: AnalysisResults, analysis: str) -> list[int]:
    """Return the numbers of the rows that an analysis does not use."""
    return sorted({*found.excluded, *found.incomplete[analysis].rows})


def _finite(value):
    return None if isinstance(value, float) and not math.isfinite(value) else value


def draw_analysis(folder: Path, found: AnalysisResults) -> list[Path]:
    """Write a box and scatter plot of every factor as PNG; returns the paths."""
    paths = []
    for name in found.samples:
        panels = box_panels(found, name, new_figure)
        path = folder / f"box_{''.join(c if c.isalnum() or c in '-_.' else '_' for c in name)}.png"
        save_figure(panels[0].figure, path)
        paths.append(path)
    return paths


def box_panels(found: AnalysisResults, name: str, make_figure: Callable) -> list:
    """Draw the box plots of one factor, one panel per stratum.

    Args:
        found: the analysis.
        name: of the factor, a key of `found.samples`.
        make_figure: called with width and height in inches; returns a matplotlib figure.
    Returns:
        The matplotlib axes, one per stratum.
    """
    from keras_radtl.figures.boxes import plot_boxes

    strata = found.samples[name]
    widest = max(len(samples) for samples in strata.values())
    width = min(max(3.2, 1 + 0.75 * widest), 14)
    figure = make_figure(min(width * len(strata), 24), 4.2)
    panels = list(figure.subplots(1, len(strata), sharey=True, squeeze=False)[0])
    for i, (axes, (stratum, samples)) in enumerate(zip(panels, strata.items(), strict=True)):
        title = f"{found.spec.within}: {stratum}" if stratum else f"{found.spec.response} by {name}"
        plot_boxes(axes, samples, title, name, "" if i else found.spec.response)
    return panels
