"""The speed of this machine: measured in a process of its own, and it grows with what is measured."""

from __future__ import annotations

import pytest

from keras_radtl.config import Config, UserError, update
from keras_radtl.sweeps.speed import backbone_words, measure_speed, questions
from keras_radtl.training.plan import make_plan


def config(size, backbone="tiny"):
    return update(Config(), {"data": {"image_size": size}, "model": {"backbone": backbone, "weights": "none"}})


def test_measured_words(tiny_backbone):
    assert backbone_words(make_plan(config(48))) == ["tiny:48"]
    two = make_plan(config(None, "tiny+efficientnet_lite0"))
    assert backbone_words(two) == ["tiny:32", "efficientnet_lite0:224"]  # each at its own size
    trained = update(config(16), {"training": {"unfreeze": "top1"}})
    asked = questions([trained, config(48), config(16)])
    assert (asked["backbones"], asked["trained"], len(asked["data"])) == (["tiny:16", "tiny:48"], ["tiny:16"], 2)


@pytest.mark.slow
def test_larger_images_take_longer(tiny_backbone, write_list):
    small, large = (update(config(size), {"training": {"unfreeze": "all"}}) for size in (16, 512))
    speed = measure_speed([small, large], str(write_list("return []")))
    small, large = make_plan(small), make_plan(large)
    assert 0 < speed.of("image", small) < speed.of("image", large)
    assert 0 < speed.of("train_image", small) < speed.of("train_image", large)
    assert speed.start > 0 and speed.of("build", small) > 0 and speed.of_data(small) > 0
    assert 0 < speed.weight_step < 1e-3 and 0 < speed.step < 1


@pytest.mark.slow
def test_a_failure_is_one_line(tiny_backbone):
    with pytest.raises(UserError, match="^The speed of this machine could not be measured: Unknown backbone .tiny"):
        measure_speed([config(16)])  # that process does not know this backbone
