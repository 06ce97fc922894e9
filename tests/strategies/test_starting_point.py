"""L1-SP and L2-SP agree with their formula in NumPy and are not saved."""

from __future__ import annotations

import zipfile

import keras
import numpy as np
import pytest

from keras_radtl.models.groups import HEAD
from keras_radtl.strategies.starting_point import StartingPoint, add_penalty, remove_penalty


@pytest.fixture
def two_layers():
    """Return a model with a body and a head, and its initial weights, which have since changed."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,))
    body = keras.layers.Dense(4, name="body")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2, name=HEAD)(body))
    start = {variable.path: variable.numpy().copy() for variable in model.weights}
    for variable in model.weights:
        variable.assign_add(np.random.default_rng(1).normal(size=variable.shape))
    return model, start


def formula(model, start, alpha, beta, norm):
    """Compute alpha * ||w - w0||_p^p + beta * ||w_head||_p^p in float64."""
    total = 0.0
    for variable in model.trainable_variables:
        now = variable.numpy().astype(np.float64)
        difference = now if variable.path.startswith(HEAD) else now - start[variable.path]
        total += (beta if variable.path.startswith(HEAD) else alpha) * (np.abs(difference) ** norm).sum()
    return total


@pytest.mark.parametrize("norm", [1, 2])
@pytest.mark.parametrize(("alpha", "beta"), [(0.3, 0.0), (0.0, 0.7), (0.3, 0.7)])
def test_the_penalty_equals_the_formula(two_layers, norm, alpha, beta):
    model, start = two_layers
    add_penalty(model, start, alpha, beta, norm)
    assert float(sum(model.losses)) == pytest.approx(formula(model, start, alpha, beta, norm), rel=1e-6)


@pytest.mark.parametrize("norm", [1, 2])
def test_the_penalty_is_added_to_the_loss(two_layers, norm):
    model, start = two_layers
    x, y = np.random.default_rng(2).normal(size=(5, 3)).astype("float32"), np.arange(5) % 2
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss)
    plain = model.evaluate(x, y, verbose=0)
    add_penalty(model, start, 0.3, 0.7, norm)
    model.compile("sgd", loss)
    assert model.evaluate(x, y, verbose=0) - plain == pytest.approx(formula(model, start, 0.3, 0.7, norm), rel=1e-5)


def test_the_gradient_of_l2_sp_is_twice_the_difference(two_layers):
    model, start = two_layers
    add_penalty(model, start, 0.25, 0.125, 2)
    model.compile(keras.optimizers.SGD(0.5), lambda y, x: 0.0 * keras.ops.sum(x))
    before = {variable.path: variable.numpy().copy() for variable in model.weights}
    model.train_on_batch(np.ones((1, 3), "float32"), np.zeros((1, 2), "float32"))
    for variable in model.weights:
        origin, strength = (0, 0.125) if variable.path.startswith(HEAD) else (start[variable.path], 0.25)
        expected = before[variable.path] - 0.5 * strength * 2 * (before[variable.path] - origin)
        np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_the_penalty_is_zero_at_the_starting_point():
    penalty = StartingPoint(0.5, 2, np.ones((2, 2), "float32"))
    assert float(penalty(np.ones((2, 2), "float32"))) == 0


def test_frozen_layers_have_no_penalty(two_layers):
    model, start = two_layers
    model.get_layer("body").trainable = False
    add_penalty(model, start, 1.0, 1.0, 1)
    head = sum(np.abs(variable.numpy()).sum() for variable in model.get_layer(HEAD).weights)
    assert float(sum(model.losses)) == pytest.approx(head, rel=1e-6)


def test_a_removed_penalty_is_not_saved(two_layers, tmp_path):
    model, start = two_layers
    add_penalty(model, start, 1.0, 1.0, 1)
    remove_penalty(model)
    assert model.losses == []
    model.save(tmp_path / "m.keras")
    assert "StartingPoint" not in zipfile.ZipFile(tmp_path / "m.keras").read("config.json").decode()


def test_other_regularizers_are_kept(two_layers):
    model, start = two_layers
    other = keras.regularizers.L2(0.1)
    add_penalty(model, start, 1.0, 1.0, 1)
    model.get_layer("body").kernel.regularizer = other
    remove_penalty(model)
    assert model.get_layer("body").kernel.regularizer is other


@pytest.mark.parametrize("start", [None, np.array([1.0, -2.0], "float32")])
def test_the_penalty_can_be_serialized(start):
    penalty = StartingPoint(0.5, 1, start)
    again = StartingPoint.from_config(penalty.get_config())
    x = np.array([3.0, 4.0], "float32")
    assert float(again(x)) == float(penalty(x)) == 0.5 * (7 if start is None else 8)
