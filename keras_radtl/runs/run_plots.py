"""Figures and operating points that are computed from the predictions of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from keras_radtl.config import UserError
from keras_radtl.metrics.calibration import reliability_curve
from keras_radtl.metrics.operating_points import (
    decision_curve,
    operating_point,
    sensitivity_at_specificity,
    specificity_at_sensitivity,
    youden_point,
)
from keras_radtl.metrics.temperature import Temperature, fit_temperature

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


class RunPlots:
    """Figures and operating points of `Run`; the default of `positive` is the last class."""

    def plot_roc(self, split: str = "test", ax: Axes | None = None) -> Axes:
        """Draw the ROC curve with its AUC and 95% confidence interval; one curve per class if there are more than two.

        Args:
            split: `train`, `val` or `test`.
            ax: matplotlib axes; None: new ones.
        Returns:
            The axes.
        """
        from keras_radtl.figures.curves import plot_roc

        ax = _axes(ax)
        binary = len(self.classes) == 2 and not self.multilabel
        for name in self.classes[1:] if binary else self.classes:
            targets, probabilities, groups = self._one_class(split, name)
            plot_roc(ax, targets, probabilities, split if binary else f"{split}, {name}", groups=groups)
        return ax

    def plot_history(self, ax: Axes | None = None, columns: tuple[str, ...] = ("val_auc",), fold: int = 1) -> Axes:
        """Draw columns of the history over the epochs.

        Args:
            ax: matplotlib axes; None: new ones.
            columns: Columns of `history`.
            fold: Fold of a cross-validated run.
        Returns:
            The axes.
        """
        from keras_radtl.figures.history import plot_history

        history = self.history
        rows = history[history["fold"] == fold] if self.folds else history
        return plot_history(_axes(ax), rows.to_dict("records"), list(columns), ", ".join(columns))

    def plot_confusion(self, split: str = "test", ax: Axes | None = None) -> Axes:
        """Draw the confusion matrix of a split.

        Args:
            split: `train`, `val` or `test`.
            ax: matplotlib axes; None: new ones.
        Returns:
            The axes.
        Raises:
            UserError: If the run is multi-label.
        """
        from keras_radtl.figures.confusion import plot_confusion

        if self.multilabel:
            raise UserError("A multi-label run has no confusion matrix; see `plot_roc`")
        rows = self._labelled(split)
        targets, predicted = ([self.classes.index(name) for name in rows[key]] for key in ("label", "predicted"))
        return plot_confusion(_axes(ax), targets, predicted, self.classes, f"{split}, n={len(rows)}")

    def plot_reliability(self, split: str = "test", positive: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw a reliability diagram: observed frequency against predicted probability of one class.

        Args:
            split: `train`, `val` or `test`.
            positive: the class; None: the last one.
            ax: matplotlib axes; None: new ones.
        Returns:
            The axes.
        """
        from keras_radtl.figures.curves import plot_reliability

        return plot_reliability(_axes(ax), reliability_curve(*self._one_class(split, positive)[:2]), split)

    def plot_decision_curve(self, split: str = "test", positive: str | None = None, ax: Axes | None = None) -> Axes:
        """Draw a decision curve: the net benefit of the model against the threshold probability.

        Args:
            split: `train`, `val` or `test`.
            positive: The class; None: the last one.
            ax: matplotlib axes; None: new ones.
        Returns:
            The axes.
        """
        from keras_radtl.figures.curves import plot_decision_curve

        return plot_decision_curve(_axes(ax), decision_curve(*self._one_class(split, positive)[:2]))

    def operating_points(
        self, split: str = "test", positive: str | None = None, specificity: float = 0.9, sensitivity: float = 0.9
    ) -> pd.DataFrame:
        """Return operating points: thresholds with their sensitivity and specificity.

        Args:
            split: `train`, `val` or `test`.
            positive: the class; None: the last one.
            specificity: Minimum specificity in [0, 1] of the operating point with the highest sensitivity.
            sensitivity: Minimum sensitivity in [0, 1] of the operating point with the highest specificity.
        Returns:
            DataFrame indexed by rule: `threshold`, sensitivity and specificity with 95% confidence intervals, and the
            counts `tp`, `fp`, `tn` and `fn`.
        """
        import pandas as pd

        targets, scores, groups = self._one_class(split, positive)
        each = {"groups": groups}
        points = {
            "threshold 0.5": operating_point(targets, scores, 0.5, **each),
            "Youden": youden_point(targets, scores, **each),
            f"specificity >= {specificity:g}": sensitivity_at_specificity(targets, scores, specificity, **each),
            f"sensitivity >= {sensitivity:g}": specificity_at_sensitivity(targets, scores, sensitivity, **each),
        }
        return pd.DataFrame([_point_row(p) for p in points.values()], index=pd.Index(list(points), name="rule"))

    def temperature(self, split: str = "val") -> Temperature:
        """Fit the temperature for calibration: logits divided by it have the smallest log loss on a split.

        Args:
            split: `val`; `test` for a cross-validated run, which has no other split.
        Raises:
            UserError: If the run is multi-label.
        """
        if self.multilabel:
            raise UserError("Temperature scaling needs one label per case; this is a multi-label run")
        rows = self._labelled(split)
        logits = rows[[f"logit_{name}" for name in self.classes]].to_numpy()
        return fit_temperature(np.array([self.classes.index(name) for name in rows["label"]]), logits)

    def _labelled(self, split: str) -> pd.DataFrame:
        rows = self.predictions(split)
        return rows if self.multilabel else rows[rows["label"] != ""]

    def _one_class(self, split: str, name: str | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return 0/1 targets and probabilities of one class against the rest, and the groups of the cases."""
        name = self.classes[-1] if name is None else name
        if name not in self.classes:
            raise UserError(f"`positive` must be one of {', '.join(self.classes)}. Received: positive={name!r}")
        rows = self._labelled(split)
        labels = [name in text.split(";") for text in rows["label"]] if self.multilabel else rows["label"] == name
        return np.asarray(labels, int), rows[f"prob_{name}"].to_numpy(), rows["group"].to_numpy()


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(5, 5), layout="constrained")[1]


def _point_row(point) -> dict:
    row = {"threshold": point.threshold}
    for name in ("sensitivity", "specificity"):
        metric = getattr(point, name)
        row |= {name: metric.value, f"{name}_low": metric.ci_low, f"{name}_high": metric.ci_high}
    return row | {name: getattr(point, name) for name in ("tp", "fp", "tn", "fn")}
