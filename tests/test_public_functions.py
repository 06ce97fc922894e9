"""Public functions of `keras_radtl.metrics` and `keras_radtl.stats`: documented, annotated, loaded on first use."""

from __future__ import annotations

import inspect
import pkgutil
import subprocess
import sys

import pytest

import keras_radtl.metrics
import keras_radtl.stats

PACKAGES = (keras_radtl.metrics, keras_radtl.stats)
each_package = pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)


@pytest.mark.parametrize(
    ("package", "name"),
    [pytest.param(package, name, id=f"{package.__name__}.{name}") for package in PACKAGES for name in package.__all__],
)
def test_function_is_documented_and_annotated(package, name):
    function = getattr(package, name)
    assert function.__name__ == name and function.__module__.startswith(f"{package.__name__}.")
    sections = inspect.getdoc(function)
    assert "\nArgs:\n" in sections and "\nReturns:\n" in sections
    signature = inspect.signature(function)
    assert signature.return_annotation is not inspect.Signature.empty
    for parameter in signature.parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty, parameter.name
        assert f"    {parameter.name}: " in sections, f"{parameter.name} is not documented"


@each_package
def test_no_function_has_the_name_of_a_submodule(package):
    submodules = {module.name for module in pkgutil.iter_modules(package.__path__)}
    assert submodules.isdisjoint(package.__all__)


@each_package
def test_table_of_the_docstring_lists_every_function_once(package):
    rows = [line.split("`")[1] for line in package.__doc__.splitlines() if line.startswith("| `")]
    assert sorted(rows) == package.__all__ == dir(package)


@each_package
def test_unknown_name_raises(package):
    with pytest.raises(AttributeError, match=f"'{package.__name__}' has no attribute 'auroc'"):
        _ = package.auroc


@pytest.mark.parametrize(
    ("package", "call", "value"),
    [
        ("keras_radtl.metrics", "exact_auc([0, 1], [0.2, 0.7])", "1.0"),
        ("keras_radtl.stats", "adjust_p_values([0.02, 0.03])", "[0.04, 0.04]"),
    ],
)
def test_import_loads_no_library(package, call, value):
    code = (
        f"import sys, {package}\n"
        "print(*(name for name in ('numpy', 'scipy', 'sklearn', 'statsmodels', 'tensorflow') if name in sys.modules))\n"
        f"from {package} import {call.partition('(')[0]}\n"
        f"print({call})"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout == f"\n{value}\n"
