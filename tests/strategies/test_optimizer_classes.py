"""The optimizer classes against those of Keras; `test_optimizers` compares them with PyTorch."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_radtl.strategies import optimizer_classes

GRADIENTS = np.random.default_rng(0).normal(size=(20, 2, 3)).astype("float32")
CLASSES = ["Adam", "AdamW", "SGD"]  # Keras has no RAdam


def train(optimizer):
    """Return the value of a variable after each step."""
    variable = keras.Variable(np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3), name="kernel")
    values = []
    for gradient in GRADIENTS:
        optimizer.apply_gradients([(gradient, variable)])
        values.append(variable.numpy())
    return np.array(values)


@pytest.mark.parametrize("options", [{}, {"weight_decay": 0.1}, {"clipnorm": 0.5}], ids=str)
@pytest.mark.parametrize("name", CLASSES)
def test_without_additional_options_the_updates_equal_those_of_keras(name, options):
    ours = train(getattr(optimizer_classes, name)(0.05, **options))
    expected = train(getattr(keras.optimizers, name)(0.05, **options))
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6)
    assert np.abs(np.diff(expected, axis=0)).max() > 1e-3


def test_radam_follows_the_published_algorithm():
    """Algorithm 2 of Liu et al. in float64, with the PyTorch threshold of 5 for the length of the moving average."""
    rate, beta_1, beta_2, epsilon = 0.05, 0.9, 0.999, 1e-8
    value = np.linspace(-1, 1, 6).reshape(2, 3)
    first, second, longest = np.zeros((2, 3)), np.zeros((2, 3)), 2 / (1 - beta_2) - 1
    expected = []
    for step, gradient in enumerate(GRADIENTS.astype("float64"), start=1):
        first = beta_1 * first + (1 - beta_1) * gradient
        second = beta_2 * second + (1 - beta_2) * gradient**2
        length = longest - 2 * step * beta_2**step / (1 - beta_2**step)
        update = first / (1 - beta_1**step)
        if length > 5:
            rectifier = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
            update = update * np.sqrt(rectifier) * np.sqrt(1 - beta_2**step) / (np.sqrt(second) + epsilon)
        value = value - rate * update
        expected.append(value)
    ours = train(optimizer_classes.RAdam(rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon))
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


def test_gradients_are_unchanged_with_a_single_replica():
    optimizer = optimizer_classes.SGD(0.1)
    pairs = [(np.ones(2), keras.Variable(np.zeros(2)))]
    assert optimizer.sum_over_replicas(pairs) == pairs


@pytest.mark.parametrize("included", [True, False])
def test_one_dimensional_variables_can_be_excluded_from_weight_decay(included):
    optimizer = optimizer_classes.SGD(0.1, decay_bias_and_norm=included)
    assert optimizer.uses_weight_decay(keras.Variable(np.zeros((2, 2))))
    assert optimizer.uses_weight_decay(keras.Variable(np.zeros(2))) is included


@pytest.mark.parametrize("name", [*CLASSES, "RAdam"])
def test_options_are_serialized_under_the_registered_name(name):
    optimizer = getattr(optimizer_classes, name)(0.1, coupled_weight_decay=0.2, decay_bias_and_norm=False)
    config = keras.optimizers.serialize(optimizer)
    assert config["registered_name"] == f"keras_radtl>{name}"
    assert (config["config"]["coupled_weight_decay"], config["config"]["decay_bias_and_norm"]) == (0.2, False)
