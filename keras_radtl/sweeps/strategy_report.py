"""A comparison of strategies for the terminal, as Markdown, as CSV and as a figure."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path

from keras_radtl.metrics.macro import MACRO_METRICS
from keras_radtl.runs.files import atomic, write_csv, write_text_atomic
from keras_radtl.sweeps.strategy_comparison import MARGIN, REFERENCE, Cell, StrategyComparison, failed_cells
from keras_radtl.sweeps.strategy_tests import StrategyTest

Style = Callable[[str, bool, bool], str]  # (text, best of its column, best of all) -> marked text
TABLE, MARKDOWN, TESTS, FIGURE = "strategies.csv", "strategies.md", "strategy_tests.csv", "strategies.png"


def _ansi(text: str, best: bool, overall: bool) -> str:
    codes = ["1"] * best + ["4"] * overall
    bare = text.rstrip()
    return f"\033[{';'.join(codes)}m{bare}\033[0m{text[len(bare) :]}" if codes else text


def _plain(text: str, best: bool, overall: bool) -> str:
    bare = text.rstrip()
    return (bare + "*" * best + "_" * overall).ljust(len(text))


def _markdown(text: str, best: bool, overall: bool) -> str:
    text = text.strip()
    text = f"**{text}**" if best else text
    return f"<u>{text}</u>" if overall else text


def cell_text(cell: Cell, metric: str) -> str:
    """Return `mean (standard error)`, the number of seeds where some are missing, or `failed`."""
    mean, error = cell.mean(metric), cell.std_error(metric)
    if mean is None:
        return "failed" if not cell.seeds else "undefined"
    text = f"{mean:.3f}" + (f" ({error:.3f})" if error is not None else "")
    return text + (f" n={len(cell.seeds)}" if cell.missing else "")


def _rows(found: StrategyComparison, backbone: str, style: Style, pad: bool) -> list[list[str]]:
    """Return a header and a row for each strategy of one backbone."""
    columns = list(MACRO_METRICS)
    cells = [cell for cell in found.cells.values() if cell.backbone == backbone]
    texts = [[cell_text(cell, metric) for metric in columns] for cell in cells]
    widths = [
        max(map(len, (*column, name))) + 2
        for column, name in zip(zip(*texts, strict=True), MACRO_METRICS.values(), strict=True)
    ]
    name_width = max(map(len, [backbone, *(cell.strategy for cell in cells)])) if pad else 0
    rows = [
        [
            backbone.ljust(name_width),
            "rate   ",
            *(name.ljust(width * pad) for name, width in zip(MACRO_METRICS.values(), widths, strict=True)),
        ]
    ]
    for cell, line in zip(cells, texts, strict=True):
        marked = [
            style(
                text.ljust(width * pad),
                _is(cell, metric, found.best(metric, backbone)),
                _is(cell, metric, found.best(metric)),
            )
            for text, metric, width in zip(line, columns, widths, strict=True)
        ]
        rate = "-" if cell.learning_rate is None else f"{cell.learning_rate:g}"
        rows.append([cell.strategy.ljust(name_width), rate.ljust(7 * pad), *marked])
    return rows


def _is(cell: Cell, metric: str, best: float | None) -> bool:
    return best is not None and cell.mean(metric) == best


def comparison_text(found: StrategyComparison, ansi: bool | None = None) -> str:
    """Return the tables, wins, tests and failed cells for a terminal.

    Args:
        found: the comparison.
        ansi: mark by bold and underline; else by `*` and `_`; None: as stdout is a terminal or not.
    """
    ansi = sys.stdout.isatty() if ansi is None else ansi
    marks = ("bold", "underlined") if ansi else ("*", "_")
    lines = [
        f"test figures, mean (standard error) over seeds; {marks[0]}: best of a column, {marks[1]}: best of all",
        "",
    ]
    for backbone in found.backbones:
        lines += ["  ".join(row).rstrip() for row in _rows(found, backbone, _ansi if ansi else _plain, pad=True)] + [""]
    lines += [f"better than {REFERENCE} by more than {MARGIN:g} %: {_wins(found)}", ""]
    lines += [_test_line(test) for test in found.tests]
    return "\n".join([*lines, *(f"failed: {line}" for line in failed_cells(found)), ""])


def _wins(found: StrategyComparison) -> str:
    return ", ".join(f"{name} {won} of {total}" for name, (won, total) in found.wins.items() if name != REFERENCE)


def _test_line(test: StrategyTest) -> str:
    difference = "-" if test.difference is None else f"{test.difference:+.4f}"
    over = [
        f"p over {kind} {_p(getattr(test, f'p_{kind}'))}, Holm {_p(getattr(test, f'p_{kind}_holm'))}"
        for kind in ("seeds", "cases")
    ]
    return f"{test.backbone}, {test.strategy} - {REFERENCE}: AUROC {difference}; {'; '.join(over)} ({test.method})"


def _p(value: float | None) -> str:
    return "-" if value is None else "< 0.0001" if value < 1e-4 else f"{value:.4f}"


def markdown(found: StrategyComparison) -> str:
    """Return the tables as Markdown: best of a column bold, best of all underlined."""
    lines = []
    for backbone in found.backbones:
        head, *rows = _rows(found, backbone, _markdown, pad=False)
        lines += ["| " + " | ".join(map(str.strip, row)) + " |" for row in (head, ["---"] * len(head), *rows)] + [""]
    lines += [f"Better than {REFERENCE} by more than {MARGIN:g} %: {_wins(found)}.", ""]
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


def write_comparison(folder: Path, found: StrategyComparison) -> list[Path]:
    """Write table, tests, Markdown and figure into a folder; returns their paths."""
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
    """Draw the change of each metric against full fine-tuning, one panel a backbone."""
    from matplotlib.figure import Figure

    from keras_radtl.figures.strategies import plot_relative_change

    count = len(found.backbones)
    figure = Figure(figsize=(9, 0.6 + 2.9 * count), dpi=120, layout="constrained")
    panels = figure.subplots(count, 1, squeeze=False)[:, 0]
    for axes, backbone in zip(panels, found.backbones, strict=True):
        changes = {
            strategy: {MACRO_METRICS[metric]: value for metric, value in found.changes[backbone, strategy].items()}
            for strategy in found.strategies
            if strategy != REFERENCE and (backbone, strategy) in found.changes
        }
        plot_relative_change(axes, changes, backbone, REFERENCE)
    panels[0].legend(ncols=len(MACRO_METRICS), fontsize=8, frameon=False, loc="lower left", bbox_to_anchor=(0, 1.08))
    with atomic(path) as temporary:
        figure.savefig(temporary, format="png")
