"""Temperature scaling against scikit-learn and the definition of the log loss."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from keras_radtl.metrics.temperature import fit_temperature, scale_probabilities


def example(stretch, n=400, num_classes=3, seed=0):
    """Return classes drawn from the softmax of known logits, and those logits multiplied by `stretch`."""
    generator = np.random.default_rng(seed)
    logits = 2 * generator.normal(size=(n, num_classes))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return np.array([generator.choice(num_classes, p=row) for row in probabilities]), stretch * logits


class FixedLogits(ClassifierMixin, BaseEstimator):
    """A classifier that takes logits as features and returns them."""

    def fit(self, logits, targets):
        self.classes_ = np.unique(targets)
        return self

    def decision_function(self, logits):
        return logits

    def predict(self, logits):
        return logits.argmax(axis=1)


@pytest.mark.parametrize("stretch", [0.3, 1.0, 5.0])
def test_temperature_matches_scikit_learn(stretch):
    targets, logits = example(stretch)
    found = fit_temperature(targets, logits)
    model = FrozenEstimator(FixedLogits().fit(logits, targets))
    expected = CalibratedClassifierCV(model, method="temperature", ensemble=False).fit(logits, targets)
    np.testing.assert_allclose(
        scale_probabilities(logits, found.temperature), expected.predict_proba(logits), atol=1e-4
    )
    assert found.temperature == pytest.approx(stretch, rel=0.2)
    assert not found.at_limit


def test_fitted_temperature_minimizes_the_log_loss():
    targets, logits = example(3.0)
    found = fit_temperature(targets, logits)

    def loss(temperature):
        return -np.mean(np.log(scale_probabilities(logits, temperature)[np.arange(len(targets)), targets]))

    assert found.log_loss_after == pytest.approx(loss(found.temperature), abs=1e-12)
    assert found.log_loss_before == pytest.approx(loss(1.0), abs=1e-12)
    assert all(found.log_loss_after <= loss(found.temperature * factor) for factor in (0.5, 0.99, 1.01, 2))


@pytest.mark.parametrize(("targets", "limit"), [([0, 1, 1], 0.01), ([1, 0, 0], 100.0)])
def test_search_ends_at_the_limit_if_all_predictions_are_correct_or_incorrect(targets, limit):
    found = fit_temperature(targets, np.array([[2.0, 1.0], [0.0, 3.0], [-1.0, 0.5]]))
    assert found.at_limit and found.temperature == pytest.approx(limit)


def test_scaling_keeps_the_predicted_class_and_handles_large_logits():
    probabilities = scale_probabilities([[1e4, -1e4], [3.0, 4.0]], 2.0)
    assert probabilities.argmax(axis=1).tolist() == [0, 1]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit_temperature([0, 1], [[1.0, 2.0]]), "one row per target"),
        (lambda: fit_temperature([0, 2], [[1.0, 2.0], [1.0, 2.0]]), "class indices from 0 to 1"),
        (lambda: fit_temperature([0, 1], [[1.0, np.nan], [1.0, 2.0]]), "`logits` must be finite"),
        (lambda: scale_probabilities([[1.0, 2.0]], 0.0), "`temperature` must be greater than 0"),
    ],
)
def test_invalid_input_raises(call, message):
    with pytest.raises(ValueError, match=message):
        call()
