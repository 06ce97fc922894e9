"""Configuration of Sphinx: `sphinx-build -E -W --keep-going -b html docs docs/_build`."""

from __future__ import annotations

import inspect
import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
COLON = "\ue000"  # stands for a colon while Napoleon reads a docstring
sys.path.insert(0, str(HERE))
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # the documentation needs no GPU

import docstrings  # noqa: E402
import reference  # noqa: E402

import keras_radtl  # noqa: E402

project = "keras_radtl"
author = "keras_radtl contributors"
release = version = keras_radtl.__version__
copyright = author
extensions = ["sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon", "myst_parser"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"keras_radtl {release}"
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
templates_path = ["_templates"]
add_module_names = False
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autosummary_generate = True
autosummary_imported_members = True
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_custom_sections = ["Reference"]


def _convert(app, what, name, obj, options, lines):
    lines[:] = docstrings.to_restructured_text(lines)
    if lines and what in ("attribute", "data", "property"):
        lines[0] = lines[0].replace(":", COLON)  # else Napoleon takes the words before it for a type


def _restore(app, what, name, obj, options, lines):
    lines[:] = [line.replace(COLON, ":") for line in lines]


def _signature(app, what, name, obj, options, signature, returns):
    """Show the arguments of `__init__` where Keras layers hide them behind `__new__(cls, *args, **kwargs)`."""
    if what == "class" and signature == "(*args, **kwargs)":
        own = inspect.signature(obj.__init__)
        return str(own.replace(parameters=list(own.parameters.values())[1:])), returns
    return None


def _skip(app, what, name, obj, skip, options):
    """Leave out the fields of a NamedTuple, which are in its signature."""
    return True if type(obj).__name__ == "_tuplegetter" else None


def setup(app):
    """Write the generated pages and convert docstrings before Napoleon reads them."""
    app.connect("config-inited", lambda app, config: reference.write_pages(HERE / "reference"))
    app.connect("autodoc-process-docstring", _convert, priority=400)
    app.connect("autodoc-process-docstring", _restore, priority=600)
    app.connect("autodoc-process-signature", _signature)
    app.connect("autodoc-skip-member", _skip)
