"""Memory estimates, and heads that do not fit."""

import math

import pytest

from keras_radtl.config import HeadConfig, UserError
from keras_radtl.models import memory
from keras_radtl.models.groups import set_trainable, trainable_layers

REFERENCE_HEAD = HeadConfig("conv_skip", ratio=1.0, filters=16, kernel_size=2, hidden_basis="flattened")


def size(weights):
    return 4 * sum(math.prod(w.shape) for w in weights)


def test_a_frozen_backbone_needs_no_gradients(small_classifier):
    model = small_classifier("resnet50")
    set_trainable(model, ())
    estimate = memory.estimate_memory(model, batch_size=8)
    head = size(model.get_layer("head").trainable_weights)
    assert estimate.parameters == size(model.weights)
    assert (estimate.gradients, estimate.optimizer) == (head, 2 * head)
    assert estimate.total == sum(estimate)


def test_activations_grow_with_the_batch_size_and_the_trainable_layers(small_classifier):
    model = small_classifier("resnet50")
    needs = []
    for unfreeze in ("none", "top1", "all"):
        set_trainable(model, trainable_layers(model, unfreeze))
        needs.append(memory.estimate_memory(model, 8).activations)
    assert needs == sorted(needs)
    assert memory.estimate_memory(model, 16).activations == 2 * needs[-1]
    outputs = sum(
        math.prod(layer.output.shape[1:]) for layer in model.layers[2:]
    )  # excluding the image and its scaling
    first = math.prod(model.get_layer("conv1_pad").output.shape[1:])  # padding before the first trainable layer
    assert needs[-1] == 8 * 4 * (outputs - first)


def test_a_head_that_does_not_fit_is_refused_with_its_estimate(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 4 * 10**9)
    message = (
        r"conv_skip head of 1,139,\d{3},\d{3} parameters needs about 18.24 GB .*parameters 4.56.* 4.00 GB are available"
    )
    with pytest.raises(UserError, match=message):
        memory.require_head_memory(REFERENCE_HEAD, 2048, 2)
    assert memory.require_head_memory(HeadConfig("linear"), 2048, 2) == 4098


@pytest.mark.parametrize("content, limited", [("1000000\n", True), ("max\n", False), (None, False)])
def test_available_memory_is_at_most_the_limit_of_the_container(tmp_path, monkeypatch, content, limited):
    path = tmp_path / "memory.max"
    if content is not None:
        path.write_text(content)
    monkeypatch.setattr(memory, "_CONTAINER_LIMITS", (str(path),))
    assert (memory.available_memory() == 1_000_000) is limited
    assert memory.available_memory() == 1_000_000 or memory.available_memory() > 10**7
