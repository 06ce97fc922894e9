"""The classifier of a run: its initial weights, the log of its phases, and the memory check."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_radtl.config import UserError
from keras_radtl.models.backbone_cache import BackboneCache
from keras_radtl.training.build import build, describe
from keras_radtl.training.plan import make_plan


def weights(model) -> list[np.ndarray]:
    return [variable.numpy() for variable in model.weights]


def equal(first, second) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.fixture
def plan(configure):
    """Return a function from configuration values to a plan."""
    return lambda values=None: make_plan(configure(values))


def test_initial_weights_depend_on_seed_and_fold(plan, tiny_data):
    first = weights(build(plan(), tiny_data, 0))
    assert equal(first, weights(build(plan(), tiny_data, 0)))
    assert not equal(first, weights(build(plan({"seed": 1}), tiny_data, 0)))
    assert not equal(first, weights(build(plan(), tiny_data, 1)))


def test_shapes_and_dtypes(plan, tiny_data):
    model = build(plan({"training": {"precision": "mixed_bfloat16"}}), tiny_data, 0)
    assert (model.input_shape, model.input.dtype) == ((None, 16, 16, 1), "uint8")
    assert (model.output_shape, model.output.dtype) == ((None, 2), "float32")
    assert model.get_layer("stem_conv").compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == "float32"


def test_backbone_cache_gives_the_same_weights(plan, tiny_data):
    cache = BackboneCache()
    first = weights(build(plan(), tiny_data, 0, cache))
    layer = build(plan(), tiny_data, 0, cache).get_layer("stem_conv")
    again = build(plan({"model": {"head": {"name": "linear"}}}), tiny_data, 0, cache)
    assert again.get_layer("stem_conv") is layer
    assert equal(first, weights(build(plan(), tiny_data, 0)))


def test_phases_are_logged_with_their_epochs(plan, tiny_data, caplog):
    caplog.set_level("INFO")
    made = plan({"training": {"strategy": "lp_ft", "phase_epochs": [1, 3]}})
    describe(made, build(made, tiny_data, 0))
    lines = [line for line in caplog.messages if line.startswith("phase ")]
    assert lines == ["phase classifier: 1 epoch, learning rate 0.01", "phase all: 3 epochs, learning rate 0.01"]


def test_each_fold_but_the_first_is_built_without_a_log(plan, tiny_data, caplog):
    caplog.set_level("INFO")
    build(plan(), tiny_data, 1)
    assert [line for line in caplog.messages if line.startswith("Head ")] and len(caplog.messages) == 1
    build(plan(), tiny_data, 2, log=False)
    assert len(caplog.messages) == 1


def test_insufficient_memory_is_an_error(plan, tiny_data, monkeypatch):
    from keras_radtl.models import memory

    monkeypatch.setattr(memory, "available_memory", lambda: 1000)
    made = plan()
    with pytest.raises(UserError, match="(?i)memory"):
        describe(made, build(made, tiny_data, 0))
