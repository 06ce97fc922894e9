"""Private attributes of Keras: each function gives what it promises with the installed version."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_radtl.models import keras_internals as internals


@pytest.fixture
def model():
    image = keras.Input((4,), name="image")
    hidden = keras.layers.Dense(3, name="hidden")(image)
    return keras.Model(image, keras.layers.Add(name="sum")([hidden, keras.layers.Dense(3, name="skip")(image)]))


def test_this_version_of_keras_was_tried_or_is_newer():
    tried = [tuple(map(int, version.split("."))) for version in internals.TRIED_VERSIONS]
    assert tuple(map(int, keras.__version__.split(".")[:3])) >= min(tried)


def test_nodes_run_from_the_inputs_to_the_outputs(model):
    names = [node.operation.name for node in internals.nodes_by_depth(model)]
    assert names[0] == "image" and names[-1] == "sum" and set(names[1:3]) == {"hidden", "skip"}
    last = list(internals.nodes_by_depth(model))[-1]
    assert [internals.producer(tensor).name for tensor in last.input_tensors] == ["hidden", "skip"]


def test_connections_grow_with_each_use_of_a_layer(model):
    made, used = internals.connections(model.get_layer("hidden"))
    assert (len(made), len(used)) == (1, 1)
    keras.layers.Activation("relu")(model.get_layer("hidden").output)
    assert (len(made), len(used)) == (1, 2)


def test_inner_layers_are_those_inside_others_too():
    inner = keras.Sequential([keras.layers.Dropout(0.5, name="drop")], name="inner")
    outer = keras.Sequential([inner, keras.layers.Dense(1, name="dense")])
    outer.build((None, 2))
    assert {"inner", "drop", "dense"} <= {layer.name for layer in internals.inner_layers(outer)}


def test_optimizer_variables_and_slots():
    optimizer, variables = keras.optimizers.Adam(0.1), [keras.Variable([1.0, 2.0], name=name) for name in "ab"]
    optimizer.build(variables)
    assert internals.optimizer_variables(optimizer) == variables
    assert [internals.optimizer_index(optimizer, variable) for variable in variables] == [0, 1]
    optimizer.apply([np.array([1.0, 1.0], np.float32), np.array([2.0, 2.0], np.float32)])
    mean, square = internals.adam_slots(optimizer, variables[1])
    np.testing.assert_allclose(mean, [0.2, 0.2], rtol=1e-6)
    np.testing.assert_allclose(square, [0.004, 0.004], rtol=1e-5)


def test_hooks_are_called_by_the_optimizer():
    calls = []

    class Traced(internals.OptimizerHooks, keras.optimizers.SGD):
        def decays(self, variable):
            calls.append("decays")
            return super().decays(variable)

        def sum_over_replicas(self, grads_and_vars):
            calls.append("sum_over_replicas")
            return super().sum_over_replicas(grads_and_vars)

        def decay(self, variables):
            calls.append("decay")
            super().decay(variables)

    dense = keras.Sequential([keras.layers.Dense(1)])
    dense.compile(optimizer=Traced(0.1, weight_decay=0.5), loss="mse")
    dense.train_on_batch(np.ones((2, 3), np.float32), np.ones((2, 1), np.float32))
    assert {"decays", "sum_over_replicas", "decay"} <= set(calls)


def test_a_session_of_its_own_leaves_the_callers_alone():
    keras.backend.clear_session()
    keras.layers.Dense(1)
    policy = keras.config.dtype_policy().name
    with internals.own_session():
        keras.backend.clear_session()
        keras.config.set_dtype_policy("mixed_bfloat16")
        assert keras.layers.Dense(1).name == "dense"
    assert keras.config.dtype_policy().name == policy
    assert keras.layers.Dense(1).name == "dense_1"
