"""The cut of a classifier, and bit-identical results of its two parts."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_radtl.models.groups import set_trainable, trainable_layers
from keras_radtl.models.layers.batchnorm import BackboneBatchNormalization
from keras_radtl.models.prefix import cut, cut_tensors


def origins(model):
    return sorted(tensor._keras_history.operation.name for tensor in cut_tensors(model))


@pytest.mark.parametrize("name", ["efficientnet_lite0", "resnet50"])
@pytest.mark.parametrize("unfreeze", ["none", "top1", "layers:3"])
def test_both_parts_together_equal_the_classifier(small_classifier, images, name, unfreeze):
    model = small_classifier(name)
    set_trainable(model, trainable_layers(model, unfreeze))
    parts, x = cut(model), images(model)
    stored = parts.lower(x, training=False)
    assert np.array_equal(parts.upper(stored, training=False), model(x, training=False))
    assert not parts.lower.trainable_weights
    assert {id(v) for v in parts.upper.trainable_weights} == {id(v) for v in model.trainable_weights}


def test_the_cut_of_a_frozen_backbone_is_the_pooled_vector(small_classifier):
    model = small_classifier("efficientnet_lite0")
    set_trainable(model, ())
    assert origins(model) == ["pooling"]
    assert cut(model).lower.output_shape == (None, 1280)


def test_a_cut_may_cross_a_residual_connection(small_classifier):
    """If only the last convolution of a block is trainable, its input and the shortcut are at the cut."""
    model = small_classifier("resnet50")
    set_trainable(model, ["conv5_block3_3_conv"])
    assert len(cut(model).lower.outputs) == 2
    assert origins(model) == ["conv5_block2_out", "conv5_block3_2_relu"]


def test_a_prefix_without_weights_is_not_cut(small_classifier):
    model = small_classifier("efficientnet_lite0")
    set_trainable(model, trainable_layers(model, "all"))
    assert origins(model) == ["scaling"]
    assert cut(model) is None


def test_a_frozen_batchnorm_with_batch_statistics_is_live(small_classifier):
    model = small_classifier("efficientnet_lite0")
    set_trainable(model, ())
    norms = [layer for layer in model.layers if isinstance(layer, BackboneBatchNormalization)]
    norms[-1].statistics = "adapt"
    try:
        assert origins(model) == [norms[-1].input._keras_history.operation.name]
    finally:
        norms[-1].statistics = "inference"


def test_a_model_that_is_live_from_its_input_is_not_cut():
    image = keras.Input((4,))
    model = keras.Model(image, keras.layers.Dense(2)(image))
    assert cut(model) is None


def test_a_frozen_branch_parallel_to_a_live_one_is_in_the_prefix():
    image = keras.Input((4,))
    low = keras.layers.Dense(3, name="low")
    live, frozen = keras.layers.Dense(2, name="live"), keras.layers.Dense(2, name="frozen")
    low.trainable = frozen.trainable = False
    body = low(image)
    model = keras.Model(image, keras.layers.Add(name="head")([live(body), frozen(body)]))
    assert origins(model) == ["frozen", "low"]
    x = np.ones((2, 4), "float32")
    parts = cut(model)
    assert np.array_equal(parts.upper(parts.lower(x)), model(x))
