"""ROC curves, reliability diagrams and decision curves. Call a function several times to compare curves on one axes."""

from __future__ import annotations

from keras_radtl.figures.labels import label_text
from keras_radtl.metrics.calibration import ReliabilityCurve
from keras_radtl.metrics.operating_points import DecisionCurve, roc_curve
from keras_radtl.stats.delong import delong_interval

_REFERENCE = {"color": "grey", "linewidth": 0.8, "linestyle": "--"}


def plot_roc(axes, targets, scores, label: str = "", confidence: float = 0.95, groups=None, scale: str = "logit"):
    """Draw an ROC curve, with the AUC and its DeLong confidence interval in the legend.

    If there are no positive or no negative cases, no curve is drawn and the legend gives the reason.

    Args:
        axes: Matplotlib axes.
        targets: 0/1 array of shape (n,).
        scores: float array of shape (n,); higher scores mean more likely positive.
        label: Name of the curve.
        confidence: Level of the confidence interval, in (0, 1).
        groups: None, or a sequence of n group ids. The interval then allows for dependence within groups.
        scale: Scale on which the interval is symmetric, "logit" or "plain".

    Returns:
        The axes.
    """
    interval = delong_interval(targets, scores, confidence, scale, groups)
    start = f"{label_text(label)}: " if label else ""
    if interval.auc is None:
        axes.plot([], [], label=f"{start}{interval.method}")
    else:
        curve = roc_curve(targets, scores)
        text = f"{start}AUC {interval.auc:.3f}"
        if interval.ci_low is not None:
            text += f" [{interval.ci_low:.3f}, {interval.ci_high:.3f}]"
        axes.plot(curve.false_positive_rate, curve.sensitivity, label=text, linewidth=1.5)
    _reference(axes, [0, 1], [0, 1], "_chance")
    axes.set(xlabel="1 - specificity", ylabel="sensitivity", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    curves = len(axes.get_legend_handles_labels()[1])
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.12)}  # the text of several curves would hide them
    axes.legend(fontsize=8, **({"loc": "lower right"} if curves <= 2 else below))
    return axes


def plot_reliability(axes, curve: ReliabilityCurve, label: str = ""):
    """Draw a reliability diagram: observed frequency against predicted probability, with Wilson intervals.

    The legend has the expected calibration error (ECE). Larger points are bins with more cases.

    Args:
        axes: Matplotlib axes.
        curve: Result of `metrics.calibration.reliability_curve`, with arrays of shape (n_bins,).
        label: Name of the curve.

    Returns:
        The axes.
    """
    _reference(axes, [0, 1], [0, 1], "_perfect")
    text = f"{label_text(label)}: " * bool(label) + f"ECE {curve.expected_error:.3f}"
    (line,) = axes.plot(curve.predicted, curve.observed, linewidth=1.2, label=text)
    color = line.get_color()
    axes.vlines(curve.predicted, curve.ci_low, curve.ci_high, color=color, linewidth=0.8)
    axes.scatter(curve.predicted, curve.observed, s=10 + 90 * curve.counts / curve.counts.max(), color=color, alpha=0.8)
    axes.set(xlabel="predicted probability", ylabel="observed frequency", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set_aspect("equal")
    axes.legend(fontsize=8, loc="upper left")
    return axes


def plot_decision_curve(axes, curve: DecisionCurve, label: str = "model"):
    """Draw a decision curve: net benefit over threshold probability, with "treat all" and "treat none" as references.

    Args:
        axes: Matplotlib axes.
        curve: Result of `metrics.operating_points.decision_curve`, with arrays of shape (n_thresholds,).
        label: Name of the curve.

    Returns:
        The axes.
    """
    _reference(axes, curve.thresholds, curve.treat_all, "treat all", linestyle=":")
    _reference(axes, curve.thresholds, 0 * curve.thresholds, "treat none")
    axes.plot(curve.thresholds, curve.net_benefit, label=label_text(label), linewidth=1.5)
    highest = max(axes.dataLim.y1, 0.01)
    axes.set(xlabel="threshold probability", ylabel="net benefit", xlim=(0, 1), ylim=(-0.25 * highest, 1.05 * highest))
    axes.legend(fontsize=8)
    return axes


def _reference(axes, x, y, label: str, **style) -> None:
    """Draw a reference line unless the axes already have it."""
    if label not in [line.get_label() for line in axes.lines]:
        axes.plot(x, y, label=label, **{**_REFERENCE, **style})
