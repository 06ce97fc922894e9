"""A comparison of strategies as text, Markdown, CSV and a figure."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path

from keras_radtl.metrics.macro import MACRO_METRICS
from keras_radtl.reports.figure_files import new_figure, save_figure
from keras_radtl.reports.text_table import Styled, text_table
from keras_radtl.runs.files import write_csv, write_text_atomic
from keras_radtl.strategies.table import REFERENCE_STRATEGY
from keras_radtl.sweeps.strategy_comparison import MARGIN, Cell, StrategyComparison, failed_cells
from keras_radtl.sweeps.strategy_tests import StrategyTest

Style = Callable[[str, bool, bool], str | Styled]  # (text, best of its column, best of all backbones) -> marked text
TABLE, MARKDOWN, TESTS, FIGURE = "strategies.csv", "strategies.md", "strategy_tests.csv", "strategies.png"


def _ansi(text: str, best: bool, overall: bool) -> Styled:
    return Styled(text, " ".join(["bold"] * best + ["underline"] * overall))


def _plain(text: str, best: bool, overall: bool) -> str:
    return text + "*" * best + "_" * overall


def _markdown(text: str, best: bool, overall: bool) -> str:
    text = f"**{text}**" if best else text
    return f"<u>{text}</u>" if overall else text


def cell_text(cell: Cell, metric: str) -> str:
    """Return `mean (standard error)`, with the number of seeds if some are missing; `failed` without any."""
    mean, error = cell.mean(metric), cell.std_error(metric)
    if mean is None:
        return "failed" if not cell.seeds else "undefined"
    text = f"{mean:.3f}" + (f" ({error:.3f})" if error is not None else "")
    return text + (f" n={len(cell.seeds)}" if cell.missing else "")


def _rows(found: StrategyComparison, backbone: str, style: Style) -> list[list[str | Styled]]:
    """Return a header and one row per strategy of one backbone."""
    rows: list[list[str | Styled]] = [[backbone, "rate", *MACRO_METRICS.values()]]
    for cell in (cell for cell in found.cells.values() if cell.backbone == backbone):
        rate = "-" if cell.learning_rate is None else f"{cell.learning_rate:g}"
        marked = [
            style(
                cell_text(cell, metric),
                _is(cell, metric, found.best(metric, backbone)),
                _is(cell, metric, found.best(metric)),
            )
            for metric in MACRO_METRICS
        ]
        rows.append([cell.strategy, rate, *marked])
    return rows


def _is(cell: Cell, metric: str, best: float | None) -> bool:
    return best is not None and cell.mean(metric) == best


def strategy_text(found: StrategyComparison, ansi: bool | None = None) -> str:
    """Return the tables, wins, tests and failed runs as text.

    Args:
        found: The comparison.
        ansi: Whether the best values are bold and underlined instead of marked by `*` and `_`; None: only if stdout is
            a terminal.
    """
    ansi = sys.stdout.isatty() if ansi is None else ansi
    marks = ("bold", "underlined") if ansi else ("*", "_")
    lines = [
        "Test metrics, mean (standard error) over seeds",
        f"{marks[0]}: best of a column; {marks[1]}: best of all backbones",
        "",
    ]
    for backbone in found.backbones:
        lines += [text_table(_rows(found, backbone, _ansi if ansi else _plain), ansi=ansi), ""]
    lines += [f"better than {REFERENCE_STRATEGY} by more than {MARGIN:g} %: {_wins(found)}", ""] * bool(_wins(found))
    lines += [_test_line(test) for test in found.tests]
    return "\n".join([*lines, *(f"failed: {line}" for line in failed_cells(found)), ""])


def _wins(found: StrategyComparison) -> str:
    """Return the wins of each strategy that can be compared; empty if there is none."""
    return ", ".join(f"{name} {won} of {total}" for name, (won, total) in found.wins.items() if total)


def _test_line(test: StrategyTest) -> str:
    difference = "-" if test.difference is None else f"{test.difference:+.4f}"
    parts = [f"{test.backbone}, {test.strategy} - {REFERENCE_STRATEGY}: AUROC {difference}"]
    parts += [f"p over seeds {_p(test.p_seeds)}, Holm {_p(test.p_seeds_holm)}"]
    parts += [f"p over cases {_p(test.p_cases)}, Holm {_p(test.p_cases_holm)}"]
    return f"{'; '.join(parts)} ({test.method})"


def _p(value: float | None) -> str:
    return "-" if value is None else "< 0.0001" if value < 1e-4 else f"{value:.4f}"


def markdown(found: StrategyComparison) -> str:
    """Return the tables as Markdown: the best of a column is bold, the best of all backbones underlined."""
    lines = []
    for backbone in found.backbones:
        head, *rows = _rows(found, backbone, _markdown)
        lines += ["| " + " | ".join(map(str, row)) + " |" for row in (head, ["---"] * len(head), *rows)] + [""]
    lines += [f"Better than {REFERENCE_STRATEGY} by more than {MARGIN:g} %: {_wins(found)}.", ""] * bool(_wins(found))
    return "\n".join([*lines, *(f"- failed: {line}" for line in failed_cells(found))]).rstrip() + "\n"


def _csv_rows(found: StrategyComparison) -> list[list]:
    rows = []
    for key, cell in found.cells.items():
        row = [cell.backbone, cell.strategy, cell.learning_rate, len(cell.seeds), "; ".join(cell.missing)]
        for metric in MACRO_METRICS:
            best, overall = found.best(metric, cell.backbone), found.best(metric)
            marks = [int(_is(cell, metric, best)), int(_is(cell, metric, overall))]
            row += [cell.mean(metric), cell.std_error(metric), found.changes[key][metric], *marks]
        rows.append(row)
    return rows


def write_strategy_comparison(folder: Path, found: StrategyComparison) -> list[Path]:
    """Write the tables as CSV and Markdown, the tests and the figure to a folder; returns their paths."""
    parts = ("mean", "std_error", "change_percent", "best", "best_of_all")
    columns = [f"{metric}_{part}" for metric in MACRO_METRICS for part in parts]
    head = ["backbone", "strategy", "learning_rate", "seeds", "missing"]
    write_csv(folder / TABLE, [*head, *columns], _csv_rows(found))
    names = [field.name for field in fields(StrategyTest)]
    write_csv(folder / TESTS, names, [[asdict(test)[name] for name in names] for test in found.tests])
    write_text_atomic(folder / MARKDOWN, markdown(found))
    written = [folder / TABLE, folder / TESTS, folder / MARKDOWN]
    if any(value is not None for change in found.changes.values() for value in change.values()):
        draw_changes(folder / "figures" / FIGURE, found)
        written.append(folder / "figures" / FIGURE)
    return written


def draw_changes(path: Path, found: StrategyComparison) -> None:
    """Write the change of each metric from full fine-tuning as PNG, one panel per backbone."""
    from keras_radtl.figures.strategies import plot_relative_change

    count = len(found.backbones)
    figure = new_figure(9, 0.6 + 2.9 * count)
    panels = figure.subplots(count, 1, squeeze=False)[:, 0]
    for axes, backbone in zip(panels, found.backbones, strict=True):
        changes = {
            strategy: {MACRO_METRICS[metric]: value for metric, value in found.changes[backbone, strategy].items()}
            for strategy in found.strategies
            if strategy != REFERENCE_STRATEGY and (backbone, strategy) in found.changes
        }
        plot_relative_change(axes, changes, backbone, REFERENCE_STRATEGY)
    panels[0].legend(ncols=len(MACRO_METRICS), fontsize=8, frameon=False, loc="lower left", bbox_to_anchor=(0, 1.08))
    save_figure(figure, path)
