"""Public functions of `keras_radtl.metrics`: each is documented, annotated and loaded on first use."""

from __future__ import annotations

import inspect
import pkgutil
import subprocess
import sys

import pytest

import keras_radtl.metrics


@pytest.mark.parametrize("name", keras_radtl.metrics.__all__)
def test_function_is_documented_and_annotated(name):
    function = getattr(keras_radtl.metrics, name)
    assert function.__name__ == name and function.__module__.startswith("keras_radtl.metrics.")
    sections = inspect.getdoc(function)
    assert "\nArgs:\n" in sections and "\nReturns:\n" in sections
    signature = inspect.signature(function)
    assert signature.return_annotation is not inspect.Signature.empty
    for parameter in signature.parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty, parameter.name
        assert f"    {parameter.name}: " in sections, f"{parameter.name} is not documented"


def test_no_function_has_the_name_of_a_submodule():
    submodules = {module.name for module in pkgutil.iter_modules(keras_radtl.metrics.__path__)}
    assert submodules.isdisjoint(keras_radtl.metrics.__all__)


def test_table_of_the_docstring_lists_every_function_once():
    rows = [line.split("`")[1] for line in keras_radtl.metrics.__doc__.splitlines() if line.startswith("| `")]
    assert sorted(rows) == keras_radtl.metrics.__all__ == dir(keras_radtl.metrics)


def test_unknown_name_raises():
    with pytest.raises(AttributeError, match="'keras_radtl.metrics' has no attribute 'auroc'"):
        _ = keras_radtl.metrics.auroc


def test_import_loads_no_library():
    code = (
        "import sys, keras_radtl.metrics\n"
        "print(*(name for name in ('numpy', 'scipy', 'sklearn', 'statsmodels', 'tensorflow') if name in sys.modules))\n"
        "from keras_radtl.metrics import exact_auc\n"
        "print(exact_auc([0, 1], [0.2, 0.7]))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout == "\n1.0\n"
