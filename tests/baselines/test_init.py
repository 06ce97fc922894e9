"""The public names of the room are loaded on first use."""

from __future__ import annotations

import pytest

from keras_radtl import baselines


def test_every_public_name_can_be_imported():
    assert [getattr(baselines, name).__name__ for name in baselines.__all__] == baselines.__all__
    assert dir(baselines) == sorted(baselines.__all__)
    with pytest.raises(AttributeError, match="no attribute 'lars'"):
        _ = baselines.lars


def test_the_table_of_the_docstring_has_every_function():
    functions = [name for name in baselines.__all__ if name[0].islower()]
    assert all(f"| `{name}` |" in (baselines.__doc__ or "") for name in functions)
