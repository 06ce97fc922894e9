"""The table of pixel scalings."""

import pytest

from keras_radtl.config import UserError
from keras_radtl.models.layers.scalings import SCALINGS, get_scaling


def test_an_unknown_scaling_is_refused_with_the_known_names():
    with pytest.raises(UserError, match="Unknown scaling 'imagenet'. Known: caffe, torch, tf"):
        get_scaling("imagenet")


def test_minus1_1_equals_tf():
    assert SCALINGS["minus1_1"] == SCALINGS["tf"]


def test_bacon_divides_by_the_standard_deviation_in_bgr_order():
    assert SCALINGS["bacon"].divisor == pytest.approx([255 * s for s in (0.225, 0.224, 0.229)])
