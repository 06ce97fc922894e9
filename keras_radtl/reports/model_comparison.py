"""A comparison of models as a JSON file, as a figure and as text for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from keras_radtl.runs.files import atomic, write_json
from keras_radtl.stats.model_comparison import Comparison


def write_comparison(path: Path, found: Comparison, options: Mapping) -> None:
    """Write models, pairs, the tests of all models at once and the options as strictly valid JSON."""
    write_json(
        path,
        {
            "models": [model._asdict() for model in found.models],
            "pairs": [pair._asdict() for pair in found.pairs],
            "global_test": found.global_test and found.global_test._asdict(),
            "cochran": found.cochran and found.cochran._asdict(),
            "options": dict(options),
        },
    )


def draw_overlay(path: Path, targets, scores: Mapping, confidence: float, groups=None) -> None:
    """Draw the ROC curves of all models over each other as a PNG.

    Args:
        path: of the PNG.
        targets: 0/1 array of shape (n,).
        scores: by model name, float arrays of shape (n,).
        confidence: of the intervals in the legend, in (0, 1).
        groups: None, or n ids: the intervals then let cases of a group depend on each other.
    """
    from matplotlib.figure import Figure

    from keras_radtl.figures.curves import plot_roc

    figure = Figure(figsize=(6, 6), dpi=120, layout="constrained")
    axes = figure.subplots()
    for name, values in scores.items():
        plot_roc(axes, targets, values, name, confidence, groups)
    axes.set_title(f"{len(targets)} cases, {int(targets.sum())} positive")
    with atomic(path) as temporary:
        figure.savefig(temporary, format="png")


def comparison_text(found: Comparison, alpha: float, correction: str) -> str:
    """Return the models and all pairs as plain-text tables; a star marks a corrected p below alpha."""
    level = f"{100 * (1 - alpha):g} %"
    first = found.models[0]
    lines = [f"AUC with DeLong's {level} interval, n={first.n}, positives={first.positives}", ""]
    lines += _columns(
        [[model.name, f"{model.auc:.4f}", _interval(model.ci_low, model.ci_high)] for model in found.models]
    )
    lines += [
        "",
        f"Pairs: AUC difference (DeLong, paired), McNemar; p and p corrected ({correction}), * below {alpha:g}",
        "",
    ]
    head = ["", "difference", level, "z", "p", "corrected", "McNemar p", "corrected"]
    lines += _columns(
        [head]
        + [
            [
                f"{pair.a} - {pair.b}",
                f"{pair.difference:+.4f}",
                _interval(pair.ci_low, pair.ci_high),
                "-" if pair.z is None else f"{pair.z:.3f}",
                _p(pair.p),
                _p(pair.p_adjusted, alpha),
                _p(pair.mcnemar_p),
                _p(pair.mcnemar_p_adjusted, alpha),
            ]
            for pair in found.pairs
        ]
    )
    if found.global_test:
        test = found.global_test
        lines += ["", f"All AUCs equal: chi-squared {test.chi2:.3f}, {test.df} df, p {_p(test.p)}"]
    if found.cochran:
        test = found.cochran
        lines += [f"All accuracies equal: Cochran's Q {test.statistic:.3f}, {test.df} df, p {_p(test.p)}"]
    return "\n".join(lines) + "\n"


def _interval(low: float | None, high: float | None) -> str:
    return "-" if low is None else f"[{low:.4f}, {high:.4f}]"


def _p(value: float | None, alpha: float = 0.0) -> str:
    if value is None:
        return "-"
    return ("< 0.0001" if value < 0.0001 else f"{value:.4f}") + " *" * (value < alpha)


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
