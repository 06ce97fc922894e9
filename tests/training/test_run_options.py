"""Options of a run that are not part of its configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from keras_radtl.config import UserError
from keras_radtl.training.run_options import RunOptions


def test_cache_size_in_bytes():
    assert RunOptions(Path("x"), feature_cache_size=0.5).cache_bytes == 500_000_000


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"feature_cache_size": -1.0}, "`feature_cache_size` must be in"),
        ({"feature_dtype": "int8"}, "`feature_dtype` must be"),
        ({"test": False}, "`figures` must be False if `test` is False"),
    ],
)
def test_invalid_options_are_an_error(option, message):
    with pytest.raises(UserError, match=message):
        RunOptions(Path("x"), **option)
