"""The search space of the study is valid, by name and from a copy."""

from __future__ import annotations

from keras_radtl.config import Config
from keras_radtl.studies.hyperband import SPACE
from keras_radtl.studies.table import get_space


def test_the_space_is_valid():
    space = get_space("hyperband", Config())
    assert set(space.keys) == set(SPACE)
    head = next(parameter for parameter in space.parameters if parameter.key == "model.head.name")
    assert head.values == ("linear", "nonlinear", "conv_skip")
