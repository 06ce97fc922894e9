"""Calibration of logits: against scikit-learn's logistic regression, the optimality conditions, and known shifts."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from keras_radtl.metrics.classification import exact_auc
from keras_radtl.metrics.logit_calibration import Calibration, calibrate_logits, fit_calibration, fit_label_calibration


def binary(n, seed=0, slope=1.0, offset=0.0):
    """Return targets drawn from sigmoid(d), and logits whose difference is (d - offset) / slope."""
    random = np.random.default_rng(seed)
    difference = random.normal(0, 2, n)
    targets = (random.uniform(size=n) < 1 / (1 + np.exp(-difference))).astype(int)
    shown = (difference - offset) / slope
    base = random.normal(size=n)
    return targets, np.column_stack([base - shown / 2, base + shown / 2])


@pytest.mark.parametrize(("slope", "offset"), [(1.0, 0.0), (0.2, 3.0), (40.0, -1.0)])
def test_two_classes_are_platts_logistic_regression(slope, offset):
    targets, logits = binary(80, slope=slope, offset=offset)
    positives, negatives = int(targets.sum()), int((1 - targets).sum())
    soft = np.where(targets == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    difference = (logits[:, 1] - logits[:, 0])[:, None]
    scale = difference.std()
    reference = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000).fit(
        np.tile(difference / scale, (2, 1)), np.repeat([1, 0], len(soft)), np.concatenate([soft, 1 - soft])
    )
    found = fit_calibration(targets, logits)
    assert 1 / found.temperature == pytest.approx(reference.coef_[0, 0] / scale, rel=1e-5)
    assert found.offset[1] - found.offset[0] == pytest.approx(reference.intercept_[0], abs=1e-5)
    assert sum(found.offset) == pytest.approx(0, abs=1e-12)


def test_many_cases_give_back_the_slope_and_the_offset():
    targets, logits = binary(40_000, slope=3.0, offset=1.5)
    found = fit_calibration(targets, logits)
    assert 1 / found.temperature == pytest.approx(3.0, rel=0.05)
    assert found.offset[1] - found.offset[0] == pytest.approx(1.5, abs=0.06)


def test_separable_cases_have_a_finite_temperature_and_keep_their_order():
    targets, logits = np.repeat([0, 1], 10), np.column_stack([np.zeros(20), np.arange(20.0)])
    found = fit_calibration(targets, logits)
    assert 0.01 < found.temperature < 100 and np.isfinite(found.offset).all()
    moved = calibrate_logits(logits, found)
    assert exact_auc(targets, moved[:, 1] - moved[:, 0]) == 1


def test_a_model_that_ranks_the_wrong_way_round_gets_almost_no_weight():
    targets, logits = binary(200)
    found = fit_calibration(1 - targets, logits)
    assert found.temperature == pytest.approx(100)


def test_equal_logits_become_the_frequency_of_the_classes():
    targets = np.array([0] * 30 + [1] * 10)
    moved = calibrate_logits(np.ones((40, 2)), fit_calibration(targets, np.ones((40, 2))))
    smooth = (30 * 1 / 32 + 10 * 11 / 12) / 40
    assert 1 / (1 + np.exp(moved[0, 0] - moved[0, 1])) == pytest.approx(smooth, abs=1e-6)


def test_several_classes_are_at_the_optimum():
    random = np.random.default_rng(1)
    true = random.normal(0, 2, (300, 3))
    targets = np.array([random.choice(3, p=p) for p in np.exp(true) / np.exp(true).sum(axis=1, keepdims=True)])
    logits = 2.5 * true + [4.0, 0.0, -1.0]
    found = fit_calibration(targets, logits)

    def loss(temperature, offset):
        moved = logits / temperature + offset
        counts = np.bincount(targets)[targets]
        soft = np.stack([np.where(targets == k, counts + 1, 1) / (counts + 3) for k in range(3)], axis=1)
        return np.mean(np.logaddexp.reduce(moved, axis=1) - np.sum(soft * moved, axis=1))

    best = loss(found.temperature, np.array(found.offset))
    for step in (1e-3, -1e-3):
        assert loss(found.temperature * (1 + step), np.array(found.offset)) > best
        assert all(loss(found.temperature, np.array(found.offset) + step * np.eye(3)[k]) > best for k in range(3))
    assert 1.8 < found.temperature < 3.2 and found.offset[0] < found.offset[1] - 1


def test_calibrated_logits_are_scaled_and_shifted():
    moved = calibrate_logits(np.float32([[[2, 4]], [[0, -2]]]), Calibration(2.0, (-1.0, 1.0)))
    assert moved.dtype == np.float64 and moved.tolist() == [[[0.0, 3.0]], [[-1.0, 0.0]]]


def test_labels_are_calibrated_as_two_classes_each():
    (first, logits), (second, others) = binary(80), binary(80, seed=1, slope=0.2, offset=3.0)
    targets = np.column_stack([first, second]).astype(float)
    targets[:7, 1] = np.nan
    columns = np.column_stack([logits[:, 1] - logits[:, 0], others[:, 1] - others[:, 0]])
    found = fit_label_calibration(targets, columns)
    each = [fit_calibration(first, logits), fit_calibration(second[7:], others[7:])]
    moved = calibrate_logits(columns, found)
    for column, (shown, calibration) in enumerate(zip((logits, others), each, strict=True)):
        expected = calibrate_logits(shown, calibration)
        np.testing.assert_allclose(moved[:, column], expected[:, 1] - expected[:, 0], atol=1e-5)
    with pytest.raises(ValueError, match="the same shape"):
        fit_label_calibration(targets, columns[:, :1])


@pytest.mark.parametrize(
    ("targets", "logits", "message"),
    [
        ([0, 1], [[1.0, 2.0]], "one row per target"),
        ([0, 1], [[1.0, np.nan], [0.0, 1.0]], "must be finite"),
        ([0, 0], [[1.0, 2.0], [0.0, 1.0]], "each class from 0 to 1"),
        ([0, 2], [[1.0, 2.0], [0.0, 1.0]], "each class from 0 to 1"),
    ],
)
def test_wrong_input_is_refused(targets, logits, message):
    with pytest.raises(ValueError, match=message):
        fit_calibration(targets, logits)
