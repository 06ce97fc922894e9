"""Public functions of `keras_radtl.stats`: each is documented, annotated and loaded on first use."""

from __future__ import annotations

import inspect
import pkgutil
import subprocess
import sys

import pytest

import keras_radtl.stats


@pytest.mark.parametrize("name", keras_radtl.stats.__all__)
def test_function_is_documented_and_annotated(name):
    function = getattr(keras_radtl.stats, name)
    assert function.__name__ == name and function.__module__.startswith("keras_radtl.stats.")
    sections = inspect.getdoc(function)
    assert "\nArgs:\n" in sections and "\nReturns:\n" in sections
    signature = inspect.signature(function)
    assert signature.return_annotation is not inspect.Signature.empty
    for parameter in signature.parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty, parameter.name
        assert f"    {parameter.name}: " in sections, f"{parameter.name} is not documented"


def test_no_function_has_the_name_of_a_submodule():
    submodules = {module.name for module in pkgutil.iter_modules(keras_radtl.stats.__path__)}
    assert submodules.isdisjoint(keras_radtl.stats.__all__)


def test_table_of_the_docstring_lists_every_function_once():
    rows = [line.split("`")[1] for line in keras_radtl.stats.__doc__.splitlines() if line.startswith("| `")]
    assert sorted(rows) == keras_radtl.stats.__all__ == dir(keras_radtl.stats)


def test_unknown_name_raises():
    with pytest.raises(AttributeError, match="'keras_radtl.stats' has no attribute 't_test'"):
        _ = keras_radtl.stats.t_test


def test_import_loads_no_library():
    code = (
        "import sys, keras_radtl.stats\n"
        "print(*(name for name in ('numpy', 'scipy', 'sklearn', 'statsmodels', 'tensorflow') if name in sys.modules))\n"
        "from keras_radtl.stats import adjust_p_values\n"
        "print(adjust_p_values([0.02, 0.03]))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout == "\n[0.04, 0.04]\n"
