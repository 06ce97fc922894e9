"""ROC curves, reliability diagrams and decision curves show the computed values."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.metrics import auc

from keras_radtl.figures.curves import plot_decision_curve, plot_reliability, plot_roc
from keras_radtl.metrics.calibration import reliability_curve
from keras_radtl.metrics.classification import exact_auc
from keras_radtl.metrics.operating_points import decision_curve


@pytest.fixture
def axes():
    return Figure().subplots()


def example(seed=0, n=80):
    generator = np.random.default_rng(seed)
    targets = np.arange(n) % 2
    return targets, 1 / (1 + np.exp(-(generator.normal(size=n) + targets - 0.5)))


def legend(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_several_roc_curves_share_one_chance_line(axes):
    for seed in (0, 1):
        targets, scores = example(seed)
        assert plot_roc(axes, targets, scores, f"model {seed}") is axes
        drawn = axes.lines[-1 if seed else 0].get_xydata()
        assert auc(*drawn.T) == pytest.approx(exact_auc(targets, scores))
    assert len(axes.lines) == 3
    assert legend(axes)[0].startswith(f"model 0: AUC {exact_auc(*example(0)):.3f} [")


def test_roc_curve_with_one_class_is_undefined(axes):
    plot_roc(axes, [0, 0], [0.1, 0.2], "val")
    plot_roc(axes, [0, 1], [0.4, 0.4], "constant")
    assert legend(axes) == ["val: undefined: no positive case", "constant: AUC 0.500"]


def test_reliability_diagram_has_points_and_intervals(axes):
    curve = reliability_curve(*example())
    assert plot_reliability(axes, curve, "raw") is axes
    np.testing.assert_array_equal(axes.collections[1].get_offsets()[:, 1], curve.observed)
    segments = np.array(axes.collections[0].get_segments())
    np.testing.assert_array_equal(segments[:, :, 1], np.stack([curve.ci_low, curve.ci_high], axis=1))
    assert legend(axes)[-1] == f"raw: ECE {curve.expected_error:.3f}"


def test_decision_curve_has_both_references(axes):
    curve = decision_curve(*example())
    assert plot_decision_curve(axes, curve, "model") is axes
    assert legend(axes) == ["treat all", "treat none", "model"]
    np.testing.assert_array_equal(axes.lines[2].get_ydata(), curve.net_benefit)
