"""The speed of this machine: measured in a process of its own, and it grows with what is measured."""

from __future__ import annotations

import pytest

from keras_radtl.config import Config, UserError, update
from keras_radtl.sweeps.speed import backbone_words, measure_speed


def config(size, backbone="tiny"):
    return update(Config(), {"data": {"image_size": size}, "model": {"backbone": backbone, "weights": "none"}})


def test_what_is_measured(tiny_backbone):
    assert backbone_words(config(48)) == ["tiny:48"]
    assert backbone_words(config(None, "tiny+efficientnet_lite0")) == ["tiny:224", "efficientnet_lite0:224"]


@pytest.mark.slow
def test_larger_images_take_longer(tiny_backbone, write_list):
    small, large = config(16), config(512)
    speed = measure_speed([small, large], str(write_list("return []")))
    assert 0 < speed.of("image", small) < speed.of("image", large)
    assert speed.start > 0 and speed.of("build", small) > 0 and 0 < speed.weight_step < 1e-3


@pytest.mark.slow
def test_a_failure_is_one_line(tiny_backbone):
    with pytest.raises(UserError, match="^The speed of this machine could not be measured: Unknown backbone .tiny"):
        measure_speed([config(16)])  # that process does not know this backbone
