"""Each function on private Keras attributes works with the installed version."""

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


def test_the_keras_version_is_tested_or_newer():
    tested = [tuple(map(int, version.split("."))) for version in internals.TESTED_VERSIONS]
    assert tuple(map(int, keras.__version__.split(".")[:3])) >= min(tested)


def test_nodes_are_ordered_from_input_to_output(model):
    names = [node.operation.name for node in internals.nodes_by_depth(model)]
    assert names[0] == "image" and names[-1] == "sum" and set(names[1:3]) == {"hidden", "skip"}
    last = list(internals.nodes_by_depth(model))[-1]
    assert [internals.producer(tensor).name for tensor in last.input_tensors] == ["hidden", "skip"]


def test_connections_list_every_use_of_a_layer(model):
    inbound, outbound = internals.connections(model.get_layer("hidden"))
    assert (len(inbound), len(outbound)) == (1, 1)
    keras.layers.Activation("relu")(model.get_layer("hidden").output)
    assert (len(inbound), len(outbound)) == (1, 2)


def test_flatten_layers_includes_nested_layers():
    inner = keras.Sequential([keras.layers.Dropout(0.5, name="drop")], name="inner")
    outer = keras.Sequential([inner, keras.layers.Dense(1, name="dense")])
    outer.build((None, 2))
    assert {"inner", "drop", "dense"} <= {layer.name for layer in internals.flatten_layers(outer)}


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
        def uses_weight_decay(self, variable):
            calls.append("uses_weight_decay")
            return super().uses_weight_decay(variable)

        def sum_over_replicas(self, grads_and_vars):
            calls.append("sum_over_replicas")
            return super().sum_over_replicas(grads_and_vars)

        def apply_weight_decay(self, variables):
            calls.append("apply_weight_decay")
            super().apply_weight_decay(variables)

    dense = keras.Sequential([keras.layers.Dense(1)])
    dense.compile(optimizer=Traced(0.1, weight_decay=0.5), loss="mse")
    dense.train_on_batch(np.ones((2, 3), np.float32), np.ones((2, 1), np.float32))
    assert set(calls) == {"uses_weight_decay", "sum_over_replicas", "apply_weight_decay"}


def test_an_isolated_session_does_not_affect_the_caller():
    keras.backend.clear_session()
    keras.layers.Dense(1)
    policy = keras.config.dtype_policy().name
    with internals.isolated_session():
        keras.backend.clear_session()
        keras.config.set_dtype_policy("mixed_bfloat16")
        assert keras.layers.Dense(1).name == "dense"
    assert keras.config.dtype_policy().name == policy
    assert keras.layers.Dense(1).name == "dense_1"
