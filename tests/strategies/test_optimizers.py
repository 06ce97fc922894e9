"""Optimizers agree with PyTorch at each step; weight decay and learning-rate multipliers."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import keras
import numpy as np
import pytest
from tensorflow.python.framework.func_graph import FuncGraph

from keras_radtl.config import TrainingConfig, UserError
from keras_radtl.strategies.optimizers import OPTIMIZERS, get_optimizer, make_optimizer, optimizer_settings

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "optimizers_torch.json").read_text())
RATE = REFERENCE["rate"]


def variables(values):
    made = [keras.Variable(np.array(value, "float32"), name=name) for name, value in values.items()]
    return dict(zip(values, made, strict=True))


def optimizer(name, rate=RATE, **options):
    return make_optimizer(optimizer_settings(TrainingConfig(optimizer=name, **options)), rate)


def step(optimizer, held, gradients):
    """Apply one step as the TensorFlow trainer does."""
    optimizer.apply_gradients([(np.array(gradients[name], "float32"), held[name]) for name in held])


@pytest.mark.parametrize(
    ("case", "name", "options", "tolerance"),
    [
        # Adam adds epsilon to the square root of the second moment, in Keras before and in PyTorch after the bias
        # correction. The relative difference of 1e-8 / |gradient| is below the rounding of 1 - beta ** step here.
        ("adam", "adam", {}, 5e-6),
        ("adam_coupled", "adam", {"weight_decay": 0.3, "weight_decay_mode": "coupled"}, 5e-6),
        ("adamw", "adamw", {"weight_decay": 0.3}, 5e-6),
        ("adamw", "adam", {"weight_decay": 0.3}, 5e-6),
        ("radam", "radam", {}, 1e-6),
        ("radam_coupled", "radam", {"weight_decay": 0.3, "weight_decay_mode": "coupled"}, 1e-6),
        ("radam_decoupled", "radam", {"weight_decay": 0.3}, 1e-6),
        ("sgd", "sgd", {}, 1e-6),
        ("sgd_coupled", "sgd", {"weight_decay": 0.3, "weight_decay_mode": "coupled"}, 1e-6),
        ("sgd_plain", "sgd", {"momentum": 0.0}, 1e-6),
    ],
)
def test_ten_steps_equal_those_of_torch(case, name, options, tolerance):
    held, ours = variables(REFERENCE["start"]), optimizer(name, **options)
    for gradients, expected in zip(REFERENCE["gradients"], REFERENCE["steps"][case], strict=True):
        step(ours, held, gradients)
        for key, variable in held.items():
            np.testing.assert_allclose(variable.numpy(), expected[key], rtol=0, atol=tolerance)


def test_the_reference_results_differ_from_each_other():
    ends = {name: steps[-1]["kernel"] for name, steps in REFERENCE["steps"].items()}
    assert len({json.dumps(end) for end in ends.values()}) == len(ends)


ZERO = {"kernel": [[0.0, 0.0]], "bias": [0.0]}
START = {"kernel": [[2.0, -4.0]], "bias": [3.0]}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_decoupled_weight_decay_is_proportional_to_the_learning_rate(name):
    held = variables(START)
    step(optimizer(name, weight_decay=0.1), held, ZERO)
    np.testing.assert_allclose(held["kernel"].numpy(), [[2 * (1 - RATE * 0.1), -4 * (1 - RATE * 0.1)]], rtol=1e-6)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_coupled_weight_decay_is_added_to_the_gradient(momentum):
    held = variables(START)
    step(optimizer("sgd", weight_decay=0.1, weight_decay_mode="coupled", momentum=momentum), held, ZERO)
    factor = 1 - RATE * 0.1 * (1 + momentum)  # Nesterov looks one step ahead
    np.testing.assert_allclose(held["kernel"].numpy(), [[2 * factor, -4 * factor]], rtol=1e-6)


@pytest.mark.parametrize("mode", ["decoupled", "coupled"])
@pytest.mark.parametrize("name", ["adam", "radam", "sgd"])
def test_weight_decay_can_exclude_biases_and_normalization(name, mode):
    held = variables(START)
    step(optimizer(name, weight_decay=0.1, weight_decay_mode=mode, decay_bias_and_norm=False), held, ZERO)
    assert held["bias"].numpy() == [3.0]
    assert (np.abs(held["kernel"].numpy()) < [[2.0, 4.0]]).all()


@pytest.mark.parametrize("mode", ["decoupled", "coupled"])
def test_weight_decay_includes_biases_by_default(mode):
    held = variables(START)
    step(optimizer("sgd", weight_decay=0.1, weight_decay_mode=mode), held, ZERO)
    assert held["bias"].numpy() < 3.0


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_weights_do_not_change_without_gradient_and_weight_decay(name):
    held = variables(START)
    step(optimizer(name), held, ZERO)
    assert np.array_equal(held["kernel"].numpy(), START["kernel"])


class Halved:
    """Multipliers of 1/2 for the kernel and 0 for the bias."""

    def __init__(self):
        self.seen = None

    def observe(self, gradients, variables):
        self.seen = [variable.path for variable in variables]

    def scale(self, variable):
        return {"kernel": 0.5, "bias": 0.0}[variable.path]


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_multipliers_scale_the_update_and_the_decoupled_weight_decay(name, decay):
    """In the first step, a multiplier of 1/2 halves the update, even if it does not depend on the gradient scale."""
    whole, part = variables(START), variables(START)
    gradients = {"kernel": [[0.5, 1.0]], "bias": [1.0]}
    step(optimizer(name, weight_decay=decay), whole, gradients)
    scaled, multipliers = optimizer(name, weight_decay=decay), Halved()
    scaled.set_multipliers(multipliers)
    step(scaled, part, gradients)
    change = {key: [held[key].numpy() - START[key] for held in (whole, part)] for key in START}
    np.testing.assert_allclose(change["kernel"][1], change["kernel"][0] / 2, rtol=5e-3)  # weight decay comes first
    assert change["bias"][1] == 0 and change["bias"][0] != 0
    assert multipliers.seen == ["kernel", "bias"]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_can_be_serialized(name):
    mode = "decoupled" if name == "adamw" else "coupled"
    made = optimizer(name, weight_decay=0.1, weight_decay_mode=mode, decay_bias_and_norm=False)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(made))
    assert type(again) is type(made) and again.get_config() == made.get_config()
    assert (again.coupled_weight_decay, again.decay_bias_and_norm) == (made.coupled_weight_decay, False)


def test_optimizer_names():
    assert get_optimizer("RAdam") == OPTIMIZERS["radam"] == "RAdam"
    with pytest.raises(UserError, match="Unknown optimizer 'lion'. Known: adam, adamw, radam, sgd"):
        get_optimizer("lion")


def test_adamw_with_coupled_weight_decay_is_refused():
    with pytest.raises(UserError, match="use `optimizer='adam'`"):
        optimizer("adamw", weight_decay=0.1, weight_decay_mode="coupled")


@pytest.mark.parametrize(
    "name", ["adam", *(pytest.param(n, marks=pytest.mark.slow) for n in OPTIMIZERS if n != "adam")]
)
def test_training_does_not_leak_graphs(name):
    """The sum of gradients over replicas in Keras would keep the graph and variables of each model."""

    def train():
        inputs = keras.Input((3,))
        model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
        model.compile(optimizer(name), "mse", jit_compile=False)
        model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)

    def graphs():
        keras.backend.clear_session()
        gc.collect()
        return sum(isinstance(thing, FuncGraph) and bool(thing.captures) for thing in gc.get_objects())

    before = graphs()
    train()
    assert graphs() == before
