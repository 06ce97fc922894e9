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
from keras_radtl.config.errors import shown
from keras_radtl.reports.comparison_text import comparison_text
from keras_radtl.reports.data_frames import html_tables, rows_frame
from keras_radtl.reports.figure_files import new_figure, new_shown_figure, save_figure
from keras_radtl.runs.divergence import ADVICE
from keras_radtl.runs.files import write_json
from keras_radtl.runs.predictions import ScoredCases, align, common_groups, read_scored_cases
from keras_radtl.stats.model_comparison import Comparison, ModelResult, PairResult, compare_scores

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

CORRECTIONS = ("holm", "benjamini-hochberg")
MCNEMAR = ("corrected", "chi2", "exact")
AUC_SCALES = ("logit", "plain")
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
        options: the arguments `split`, `alpha`, `threshold`, `correction`, `mcnemar`, `clustered` and `auc_scale`.
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
            plot_roc(ax, self.targets, values, name, 1 - self.options["alpha"], self.groups, self.options["auc_scale"])
        ax.set_title(f"{len(self.targets)} cases, {int(self.targets.sum())} positive")
        return ax

    def __str__(self) -> str:
        return comparison_text(self.results, self.options).rstrip("\n")

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
    auc_scale: str = "logit",
) -> ModelComparison:
    """Compare the predictions of two or more models on the same cases.

    Args:
        *models: each the path of a finished run, the path of a CSV with the columns case, label (0 or 1) and score, or
            a run (any object with a `path`).
        positive: the class of a run that is compared with all others; needed if there are more than two classes.
        split: predictions of a run that are compared: "train", "val" or "test".
        alpha: significance level, in (0, 1); intervals have the confidence level 1 - alpha.
        correction: adjustment of the p-values over all pairs, "holm" or "benjamini-hochberg".
        mcnemar: form of McNemar's test, "corrected", "chi2" or "exact".
        clustered: whether cases of one group (patient) may depend on each other; all intervals and tests are then
            clustered. The groups are the column `group`, which may be missing in some of the files.
        threshold: cases with at least this score are predicted positive in McNemar's and Cochran's tests.
        auc_scale: scale of the intervals of the AUCs, "logit" or "plain".
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
    require(auc_scale in AUC_SCALES, "auc_scale", f"one of {', '.join(AUC_SCALES)}", auc_scale)
    read = align([read_scored_cases(path, split, positive) for path in paths])
    if positive not in ("", "1") and not any(model.classes for model in read):
        raise UserError(f"`positive` must be a class of a run. Received: {shown(positive)}; the labels are 0 and 1")
    for model in read:
        if model.diverged:
            logger.warning("%s: %s", model.source, ADVICE)
    groups = _groups(read, clustered)
    _note_threshold(read, threshold)
    scores = {name: model.scores for name, model in zip(_unique_names(paths, read), read, strict=True)}
    results = compare_scores(read[0].targets, scores, groups, threshold, 1 - alpha, correction, mcnemar, auc_scale)
    options = {"split": split, "alpha": alpha, "threshold": threshold, "correction": correction}
    options |= {"mcnemar": mcnemar, "clustered": clustered, "auc_scale": auc_scale}
    return ModelComparison(read[0].targets, scores, groups, results, options)


def _groups(models: Sequence[ScoredCases], clustered: bool) -> tuple[str, ...] | None:
    """Return the groups for clustered tests, or None; log excluded cases and groups that are ignored."""
    first = models[0]
    if first.targets.all() or not first.targets.any():
        raise UserError(f"{first.source}: all {len(first.targets)} cases have the same label; a comparison needs both")
    if first.excluded:
        logger.info("note: %d case%s without a label excluded", first.excluded, "s" * (first.excluded != 1))
    if clustered:
        groups = common_groups(models)
        if len(set(groups)) < 2:
            raise UserError(f"`clustered` needs at least two groups, but all cases are in group {shown(groups[0])}")
        return groups
    groups = next((model.groups for model in models if model.groups), ())
    if len(set(groups)) < len(groups):
        text = "note: %d cases of %d groups are treated as independent; `clustered` accounts for the groups"
        logger.info(text, len(groups), len(set(groups)))
    return None


def _note_threshold(models: Sequence[ScoredCases], threshold: float) -> None:
    """Log the threshold if scores are not probabilities, for which 0.5 is meant."""
    others = [model.source for model in models if model.scores.min() < 0 or model.scores.max() > 1]
    if others and threshold == 0.5:
        text = "note: scores of %s are outside [0, 1]; McNemar's test calls a case positive at 0.5 or more; "
        logger.info(text + "`threshold` changes that (0 for logits)", others[0])


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
