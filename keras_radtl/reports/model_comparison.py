"""Compare models on the same cases: AUCs, tests of all pairs and ROC curves, from runs or CSVs of predictions."""

from __future__ import annotations

import logging
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from keras_radtl.config import UserError, require
from keras_radtl.reports.data_frames import html_tables, rows_frame
from keras_radtl.reports.figure_files import new_figure, new_shown_figure, save_figure
from keras_radtl.reports.text_table import text_table
from keras_radtl.runs.files import write_json
from keras_radtl.runs.predictions import ScoredCases, align, read_scored_cases
from keras_radtl.stats.model_comparison import Comparison, ModelResult, PairResult, compare_scores

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

CORRECTIONS = ("holm", "benjamini-hochberg")
MCNEMAR = ("corrected", "chi2", "exact")
logger = logging.getLogger(__name__)


class HasPath(Protocol):
    """An object with the path of a run directory, such as a run."""

    @property
    def path(self) -> str | os.PathLike[str]:
        """Path of the run directory."""
        ...


@dataclass(frozen=True, eq=False, repr=False)
class ModelComparison:
    """Models compared on the same cases, from `compare_models`. `str()` of it is a report.

    Attributes:
        targets: bool array of shape (n,), True for positive cases.
        scores: by model name, float64 arrays of shape (n,).
        groups: group of each case if intervals and tests are clustered by it, else None.
        results: AUCs, pairs and joint tests.
        options: the arguments `split`, `alpha`, `threshold`, `correction`, `mcnemar` and `clustered`.
    """

    targets: np.ndarray
    scores: Mapping[str, np.ndarray]
    groups: tuple[str, ...] | None
    results: Comparison
    options: Mapping

    @property
    def auc(self) -> pd.DataFrame:
        """AUC of each model by name: auc, ci_low, ci_high, n, positives, method."""
        return rows_frame((model._asdict() for model in self.results.models), ModelResult._fields, "name")

    @property
    def pairs(self) -> pd.DataFrame:
        """Tests of each pair of models `a` and `b`: difference of the AUCs (a - b), its interval, and p-values."""
        return rows_frame((pair._asdict() for pair in self.results.pairs), PairResult._fields)

    def plot_roc(self, ax: Axes | None = None) -> Axes:
        """Draw the ROC curves of all models with their AUCs.

        Args:
            ax: matplotlib axes; None: those of a new figure of `matplotlib.pyplot`.
        Returns:
            The matplotlib axes.
        """
        from keras_radtl.figures.curves import plot_roc

        ax = new_shown_figure(6, 6).subplots() if ax is None else ax
        for name, values in self.scores.items():
            plot_roc(ax, self.targets, values, name, 1 - self.options["alpha"], self.groups)
        ax.set_title(f"{len(self.targets)} cases, {int(self.targets.sum())} positive")
        return ax

    def __str__(self) -> str:
        return comparison_text(self.results, self.options["alpha"], self.options["correction"]).rstrip("\n")

    def __repr__(self) -> str:
        aucs = ", ".join(f"{model.name} {model.auc:.3f}" for model in self.results.models)
        return f"<ModelComparison of {len(self.targets)} cases, AUC: {aucs}>"

    def _repr_html_(self) -> str:
        return html_tables({"AUC": self.auc, "Pairs": self.pairs}, [f"{len(self.targets)} cases"])


def compare_models(
    *models: str | os.PathLike[str] | HasPath,
    positive: str = "",
    split: str = "test",
    alpha: float = 0.05,
    correction: str = "holm",
    mcnemar: str = "corrected",
    clustered: bool = False,
    threshold: float = 0.5,
) -> ModelComparison:
    """Compare the predictions of two or more models on the same cases.

    Args:
        *models: each the path of a run directory, the path of a CSV with the columns case, label (0 or 1) and score,
            or a run (any object with a `path`).
        positive: the class that is compared with all others; needed if there are more than two classes.
        split: predictions of a run that are compared: "train", "val" or "test".
        alpha: significance level, in (0, 1); intervals have the confidence level 1 - alpha.
        correction: adjustment of the p-values over all pairs, "holm" or "benjamini-hochberg".
        mcnemar: form of McNemar's test, "corrected", "chi2" or "exact".
        clustered: whether cases of one group (patient) may depend on each other.
        threshold: cases with at least this score are predicted positive in McNemar's test.
    Returns:
        ModelComparison.
    Raises:
        UserError: if an argument is wrong, a file cannot be read, or the cases of the models differ.
    """
    paths = [Path(model if isinstance(model, (str, os.PathLike)) else model.path) for model in models]
    require(len(paths) > 1, "models", "at least two runs or CSV files", [str(path) for path in paths])
    require(0 < alpha < 1, "alpha", "in (0, 1)", alpha)
    require(math.isfinite(threshold), "threshold", "a finite number", threshold)
    require(correction in CORRECTIONS, "correction", f"one of {', '.join(CORRECTIONS)}", correction)
    require(mcnemar in MCNEMAR, "mcnemar", f"one of {', '.join(MCNEMAR)}", mcnemar)
    read = align([read_scored_cases(path, split, positive) for path in paths])
    groups = _groups(read[0], clustered)
    scores = {name: model.scores for name, model in zip(_unique_names(paths, read), read, strict=True)}
    results = compare_scores(read[0].targets, scores, groups, threshold, 1 - alpha, correction, mcnemar)
    options = {"split": split, "alpha": alpha, "threshold": threshold, "correction": correction}
    options |= {"mcnemar": mcnemar, "clustered": clustered}
    return ModelComparison(read[0].targets, scores, groups, results, options)


def _groups(model: ScoredCases, clustered: bool) -> tuple[str, ...] | None:
    """Return the groups for clustered tests, or None; log excluded cases and groups that are ignored."""
    if model.targets.all() or not model.targets.any():
        raise UserError(f"{model.source}: all {len(model.targets)} cases have the same label; a comparison needs both")
    if model.excluded:
        logger.info("note: %d case%s without a label excluded", model.excluded, "s" * (model.excluded != 1))
    if clustered and not model.groups:
        raise UserError(f"`clustered` needs the groups of the cases, but {model.source} has no column 'group'")
    count = len(set(model.groups))
    if count < len(model.groups) and not clustered:
        text = "note: %d cases of %d groups are treated as independent; `clustered` accounts for the groups"
        logger.info(text, len(model.groups), count)
    return model.groups if clustered else None


def _unique_names(paths: Sequence[Path], models: Sequence[ScoredCases]) -> list[str]:
    """Return the names of files or folders; if they are equal, whole paths; if these are equal too, with a number."""
    for names in ([model.name for model in models], [str(path) for path in paths]):
        if len(set(names)) == len(names):
            return names
    seen: Counter[str] = Counter()
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return unique


def write_model_comparison(path: Path, found: ModelComparison) -> None:
    """Write models, pairs, joint tests and options as strictly valid JSON."""
    results = found.results
    write_json(
        path,
        {
            "models": [model._asdict() for model in results.models],
            "pairs": [pair._asdict() for pair in results.pairs],
            "global_test": results.global_test and results.global_test._asdict(),
            "cochran": results.cochran and results.cochran._asdict(),
            "options": dict(found.options),
        },
    )


def draw_roc_overlay(path: Path, found: ModelComparison) -> None:
    """Write the ROC curves of all models as one PNG."""
    figure = new_figure(6, 6)
    found.plot_roc(figure.subplots())
    save_figure(figure, path)


def comparison_text(found: Comparison, alpha: float, correction: str) -> str:
    """Return the models and all pairs as text tables; a star marks a corrected p below alpha."""
    level = f"{100 * (1 - alpha):g} %"
    first = found.models[0]
    models = [[model.name, f"{model.auc:.4f}", _interval(model.ci_low, model.ci_high)] for model in found.models]
    header = ["", "difference", level, "z", "p", "corrected", "McNemar p", "corrected"]
    pairs = [
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
    lines = [f"AUC with DeLong's {level} interval, n={first.n}, positives={first.positives}", ""]
    lines += [text_table(models, indent=2), ""]
    lines += [f"Pairs: AUC difference (DeLong, paired), McNemar; p and p corrected ({correction}), * below {alpha:g}"]
    lines += ["", text_table([header, *pairs], indent=2)]
    if found.global_test:
        auc = found.global_test
        lines += ["", f"All AUCs equal: chi-squared {auc.chi2:.3f}, {auc.df} df, p {_p(auc.p)}"]
    if found.cochran:
        q = found.cochran
        lines += [f"All accuracies equal: Cochran's Q {q.statistic:.3f}, {q.df} df, p {_p(q.p)}"]
    return "\n".join(lines) + "\n"


def _interval(low: float | None, high: float | None) -> str:
    return "-" if low is None else f"[{low:.4f}, {high:.4f}]"


def _p(value: float | None, alpha: float = 0.0) -> str:
    if value is None:
        return "-"
    return ("< 0.0001" if value < 0.0001 else f"{value:.4f}") + " *" * (value < alpha)
