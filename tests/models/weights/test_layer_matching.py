"""Layers are matched by name, class, order and shape; files that fit by shape alone are refused."""

from __future__ import annotations

import numpy as np
import pytest

from keras_radtl.config import UserError
from keras_radtl.models.weights.hdf5 import StoredLayer, StoredTensor, StoredWeights
from keras_radtl.models.weights.layer_matching import match_layers


@pytest.fixture(scope="module")
def layers():
    """Return three equal convolutions and two equal BatchNorm layers, so that shapes alone are ambiguous."""
    import keras

    model = keras.Sequential([keras.Input((4, 4, 2))])
    for name in ("stem_conv", "conv2d_7", "conv2d_8"):
        model.add(keras.layers.Conv2D(2, 1, use_bias=False, name=name))
    for name in ("batch_normalization_3", "batch_normalization_4"):
        model.add(keras.layers.BatchNormalization(name=name))
    return model.layers


def tensor(name, shape):
    return StoredTensor(name, shape, lambda: np.zeros(shape, np.float32))


def conv(name, kind="", number=0):
    return StoredLayer(name, kind, number, (tensor("kernel", (1, 1, 2, 2)),))


def norm(name, kind="", number=0, variables=("gamma", "beta", "moving_mean", "moving_variance")):
    return StoredLayer(name, kind, number, tuple(tensor(variable, (2,)) for variable in variables))


def legacy(*stored):
    return StoredWeights(stored, legacy=True)


LEGACY = [
    conv("stem/conv"),
    conv("conv2d_94"),
    conv("conv2d_95"),
    norm("batch_normalization"),
    norm("batch_normalization_1"),
]


def test_unnamed_layers_are_renumbered_from_the_first(layers):
    match = match_layers(layers, legacy(*LEGACY), "x.h5")
    assert match.unmapped == ()
    assert [name for name, _, _ in match.pairs][:3] == ["stem_conv", "conv2d_7", "conv2d_8"]
    assert [tensor for _, _, tensor in match.pairs] == [tensor for layer in LEGACY for tensor in layer.tensors]
    assert len(match.pairs) == 3 + 2 * 4


def test_a_head_after_the_backbone_is_reported_as_unmapped(layers):
    head = StoredLayer("predictions", "", 0, (tensor("kernel", (2, 5)),))
    assert match_layers(layers, legacy(*LEGACY, head), "x.h5").unmapped == ("predictions",)


SWAPPED = [LEGACY[0], LEGACY[2], LEGACY[1], *LEGACY[3:]]
DEEPER = [LEGACY[0], conv("another_conv"), *LEGACY[1:]]
RENAMED = [conv("a"), conv("b"), conv("c"), norm("d"), norm("e")]
GAP = [*LEGACY[:2], conv("conv2d_96"), *LEGACY[3:]]
VARIABLES = [*LEGACY[:3], norm("batch_normalization", variables=("beta", "gamma", "moving_mean", "moving_variance"))]


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (SWAPPED, "the order of the layers differs from the backbone, starting at 'conv2d_95'"),
        (DEEPER, "does not have another_conv"),
        (RENAMED, "5 of 5 layers of the backbone are not in the file"),
        (GAP, "1 of 5 layers .* not in the file and would keep random weights: conv2d_8"),
        (LEGACY[:4], "would keep random weights: batch_normalization_4"),
        ([*LEGACY, LEGACY[1]], "'conv2d_94' is stored more than once"),
        ([*VARIABLES, LEGACY[4]], "stores beta instead of gamma"),
        ([conv("stem_conv"), norm("conv2d"), *LEGACY[2:]], "shapes|layers of the backbone are not"),
    ],
)
def test_files_that_fit_by_shape_alone_are_refused(layers, stored, message):
    with pytest.raises(UserError, match=message):
        match_layers(layers, legacy(*stored), "x.h5")


def test_files_with_a_known_hash_are_matched_by_order(layers):
    assert len(match_layers(layers, legacy(*RENAMED), "x.h5", by_order=True).pairs) == 11
    with pytest.raises(UserError, match="4 layers with weights instead of 5"):
        match_layers(layers, legacy(*RENAMED[:4]), "x.h5", by_order=True)


def current(names, batchnorm="batch_normalization"):
    stored = [conv(names[i], "/layers/conv2d", i) for i in range(3)]
    stored += [norm(names[3 + i], f"/layers/{batchnorm}", i) for i in range(2)]
    return StoredWeights(tuple(sorted(stored, key=lambda layer: (layer.kind, layer.number))), legacy=False)


def test_current_files_are_matched_by_name_and_class(layers):
    names = ["stem_conv", "conv2d", "conv2d_1", "batch_normalization_9", "batch_normalization_10"]
    for batchnorm in ("batch_normalization", "backbone_batch_normalization"):
        assert len(match_layers(layers, current(names, batchnorm), "x.keras").pairs) == 11
    with pytest.raises(UserError, match="the order of the layers differs"):
        match_layers(layers, current([names[i] for i in (1, 0, 2, 3, 4)]), "x.keras")
    with pytest.raises(UserError, match="is a group_normalization"):
        match_layers(layers, current(names, "group_normalization"), "x.keras")


def test_a_deeper_network_in_a_current_file_is_refused(layers):
    names = ["stem_conv", "conv2d", "conv2d_1", "batch_normalization_9", "batch_normalization_10"]
    stored = current(names).layers  # two BatchNorm layers, then three convolutions
    more = StoredWeights((*stored[:3], conv("another_conv", "/layers/conv2d", 1), *stored[3:]), legacy=False)
    with pytest.raises(UserError, match="does not have another_conv"):
        match_layers(layers, more, "x.keras")


def test_files_without_layer_names_are_matched_by_class(layers):
    assert len(match_layers(layers, current([None] * 5), "x.keras").pairs) == 11
    extra = conv(None, "/layers/conv2d", 3)
    with pytest.raises(UserError, match="4 layers of class conv2d instead of 3"):
        match_layers(layers, StoredWeights((*current([None] * 5).layers, extra), legacy=False), "x.keras")
