"""Sizes of the heads, calculated by hand."""

import pytest

from keras_radtl.config import HeadConfig, UserError
from keras_radtl.models.layers.head_sizes import head_parameters, head_sizes


def test_linear_head():
    assert head_parameters(HeadConfig("linear"), 2048, 2) == 2 * 2048 + 2


def test_nonlinear_head_with_the_settings_of_the_paper():
    # 2048 x 1024 weights, 1024 scales and 1024 offsets, 1024 x 2 weights and 2 biases
    assert head_parameters(HeadConfig("nonlinear", ratio=0.5), 2048, 2) == 2048 * 1024 + 2 * 1024 + 1024 * 2 + 2


def test_hidden_basis_of_the_released_code():
    config = HeadConfig("conv", ratio=1.0, filters=16, kernel_size=2, hidden_basis="flattened")
    flattened, hidden = head_sizes(config, 2048)
    assert (flattened, hidden) == (32752, 32752)
    assert flattened * hidden == 1_072_693_504
    assert head_parameters(config, 2048, 2) == 1_072_693_504 + 16 * 2 + 2 * 16 + 2 * 32752 + 2 * 32752 + 2


def test_hidden_basis_of_the_paper():
    assert head_sizes(HeadConfig("conv_skip", ratio=0.5, filters=4, kernel_size=4), 2048) == (4 * 2045, 1024)


def test_a_hidden_layer_has_at_least_one_unit():
    assert head_sizes(HeadConfig("nonlinear", ratio=0.001), 100).hidden == 1


def test_a_kernel_size_above_the_number_of_features_is_refused():
    with pytest.raises(
        UserError, match="`kernel_size` must be at most the number of features, 8. Received: kernel_size=9"
    ):
        head_sizes(HeadConfig("conv", kernel_size=9), 8)


def test_an_unknown_head_is_refused_with_the_known_names():
    with pytest.raises(UserError, match="Unknown head 'mlp'. Known: linear, nonlinear, conv, conv_skip"):
        head_parameters(HeadConfig("mlp"), 8, 2)
