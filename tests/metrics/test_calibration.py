"""Calibration metrics against scikit-learn, R's glm (tests/reference/paired.R) and algebraic identities."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from keras_radtl.metrics.calibration import brier_parts, calibration_error, recalibration, reliability_curve, top_label

REFERENCE = Path(__file__).parents[1] / "reference"


def example(n=300, seed=0, stretch=1.0):
    """Return outcomes drawn from known log odds, and predictions whose log odds are multiplied by `stretch`."""
    generator = np.random.default_rng(seed)
    log_odds = generator.normal(size=n)
    targets = (generator.random(n) < 1 / (1 + np.exp(-log_odds))).astype(int)
    return targets, 1 / (1 + np.exp(-stretch * log_odds))


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_reliability_curve_matches_scikit_learn(strategy):
    targets, probabilities = example()
    found = reliability_curve(targets, probabilities, 8, strategy)
    observed, predicted = calibration_curve(targets, probabilities, n_bins=8, strategy=strategy)
    np.testing.assert_allclose(found.observed, observed, atol=1e-12)
    np.testing.assert_allclose(found.predicted, predicted, atol=1e-12)
    assert found.counts.sum() == 300
    assert (found.ci_low <= found.observed).all() and (found.observed <= found.ci_high).all()


def test_calibration_error_of_a_worked_example():
    targets, probabilities = [0, 1, 1, 0], [0.05, 0.45, 0.95, 0.95]
    # absolute differences: 0.05 in the bin (0, 0.1], 0.55 in (0.4, 0.5], 0.45 in (0.9, 1] with two cases
    expected = (0.05 + 0.55 + 2 * 0.45) / 4
    assert reliability_curve(targets, probabilities).expected_error == pytest.approx(expected)
    assert calibration_error(targets, probabilities, replicates=50).value == pytest.approx(expected)
    assert reliability_curve(targets, probabilities).maximum_error == pytest.approx(0.55)


def test_calibration_error_of_an_overconfident_model_is_significantly_larger():
    calibrated, overconfident = (
        calibration_error(*example(2000, stretch=stretch), replicates=200) for stretch in (1, 4)
    )
    assert calibrated.ci_high < overconfident.ci_low


def test_top_label_returns_correctness_and_probability_of_the_predicted_class():
    right, confidence = top_label([2, 0], np.array([[0.2, 0.3, 0.5], [0.3, 0.6, 0.1]]))
    assert right.tolist() == [1, 0] and confidence.tolist() == [0.5, 0.6]


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@pytest.mark.parametrize("bins", [1, 5, 30])
def test_brier_parts_add_up_to_the_brier_score(bins, strategy):
    parts = brier_parts(*example(), bins, strategy)
    total = parts.reliability - parts.resolution + parts.uncertainty + parts.within_variance - parts.within_covariance
    assert parts.brier == pytest.approx(total, abs=1e-14)


def test_within_bin_terms_are_zero_if_probabilities_in_a_bin_are_equal():
    targets, probabilities = example()
    parts = brier_parts(targets, np.ceil(probabilities * 10) / 10 - 0.03)
    assert parts.within_variance == pytest.approx(0, abs=1e-14)
    assert parts.within_covariance == pytest.approx(0, abs=1e-14)
    assert parts.brier == pytest.approx(parts.reliability - parts.resolution + parts.uncertainty, abs=1e-14)


@pytest.mark.parametrize("which", ["1", "2", "3"])
def test_recalibration_matches_r(which):
    with open(REFERENCE / "recalibration.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["set"] == which]
    found = recalibration([int(row["y"]) for row in rows], [float(row["prediction"]) for row in rows])
    row = {key: float(value) for key, value in rows[0].items()}
    assert found.slope.value == pytest.approx(row["slope"], rel=1e-8)
    assert found.intercept.value == pytest.approx(row["intercept"], rel=1e-8)
    assert found.in_the_large.value == pytest.approx(row["in_the_large"], rel=1e-8)
    z = 1.959963984540054
    assert found.slope.ci_low == pytest.approx(row["slope"] - z * row["slope_error"], rel=1e-6)
    assert found.in_the_large.ci_high == pytest.approx(row["in_the_large"] + z * row["in_the_large_error"], rel=1e-6)


@pytest.mark.parametrize(
    ("targets", "probabilities", "words"),
    [
        ([1, 1, 1], [0.2, 0.5, 0.9], "one class"),
        ([0, 0, 1], [0.2, 0.3, 0.9], "separated"),
        ([0, 1, 1], [0.0, 1.0, 1.0], "separated"),
        ([0, 1, 1], [0.4, 0.4, 0.4], "equal"),
    ],
)
def test_undefined_slope_is_none_with_the_reason(targets, probabilities, words):
    found = recalibration(targets, probabilities)
    assert found.slope.value is None and words in found.slope.method
    assert found.intercept.value is None


def test_slope_is_finite_for_probabilities_of_0_and_1():
    targets, probabilities = example(100)
    probabilities[:4] = [0.0, 1.0, 0.0, 1.0]
    targets[:4] = [1, 0, 0, 1]
    assert np.isfinite(recalibration(targets, probabilities).slope.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: reliability_curve([0, 1], [0.1, 1.2]), r"2 cases, from 0\.1 to 1\.2"),
        (lambda: reliability_curve([], []), "0 cases"),
        (lambda: reliability_curve([0, 1], [0.1, 0.2], bins=0), "`bins` must be at least 1"),
        (lambda: brier_parts([0, 1], [0.1, 0.2], strategy="equal"), "`strategy` must be one of uniform, quantile"),
    ],
)
def test_invalid_input_raises(call, message):
    with pytest.raises(ValueError, match=message):
        call()
