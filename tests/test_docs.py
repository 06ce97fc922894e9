"""The documentation: its generated pages are complete, its commands exist, and it is built without a warning."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import keras_radtl
from keras_radtl.__main__ import COMMANDS
from keras_radtl.config import Config, from_dict, to_dict
from keras_radtl.config.presets import PRESETS
from keras_radtl.config.serialization import nested

DOCS = Path(__file__).parents[1] / "docs"
PAGES = [DOCS / name for name in ("index.md", "start.md", "statistics.md")] + sorted((DOCS / "guide").glob("*.md"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def modules():
    """Return `docs/reference.py` and `docs/docstrings.py`, which are no part of a package."""
    sys.path.insert(0, str(DOCS))
    try:
        yield importlib.import_module("reference"), importlib.import_module("docstrings")
    finally:
        sys.path.remove(str(DOCS))
        for name in ("reference", "docstrings"):
            sys.modules.pop(name, None)


def leaves(values: dict, prefix: str = ""):
    for key, value in values.items():
        yield from leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else [prefix + key]


def blocks(language: str) -> list[tuple[str, str]]:
    found = [(page.stem, match) for page in PAGES for match in BLOCK.findall(page.read_text(encoding="utf-8"))]
    return [(page, text) for page, (kind, text) in found if kind == language]


def command_lines() -> list[str]:
    lines = "\n".join(text for _, text in blocks("bash")).replace("\\\n", " ").splitlines()
    return sorted({line.strip() for line in lines if line.startswith("python -m keras_radtl.")})


def test_the_api_page_has_every_public_name(modules):
    page = modules[0].api_page().splitlines()
    for module in ("keras_radtl", *modules[0].MODULES):
        start = page.index(f".. currentmodule:: {module}")
        listed = [line.strip() for line in page[start + 6 : page.index("```", start)]]
        assert listed and listed == modules[0].public_names(module)
    assert modules[0].public_names("keras_radtl") == list(keras_radtl.__all__)
    assert any(name.endswith("plot_roc") for name in modules[0].public_names("keras_radtl.figures"))


def test_the_commands_page_has_every_command_with_its_options(modules):
    page = modules[0].commands_page()
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == list(COMMANDS)
    assert len(re.findall(r"^usage: python -m keras_radtl", page, re.MULTILINE)) == len(COMMANDS)
    assert "--learning-rate" in page and "--correction" in page


def test_the_configuration_page_has_every_key_with_its_default(modules):
    keys = {key.name: key for key in modules[0].configuration_keys()}
    assert set(keys) == set(leaves(to_dict(Config())))
    values = {name: ast.literal_eval(key.default) for name, key in keys.items()}
    values = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    assert from_dict(Config, nested(values)) == Config()
    page = modules[0].configuration_page()
    assert all(f"```{{confval}} {name}\n" in page for name in keys)


def test_every_configuration_key_has_a_meaning(modules):
    assert [key.name for key in modules[0].configuration_keys() if not key.meaning] == []


def test_the_presets_page_has_every_preset_and_value(modules):
    page = modules[0].presets_page()
    for name, values in PRESETS.items():
        section = page.partition(f"\n### {name}\n")[2].partition("\n### ")[0]
        assert re.findall(r"^\| `(.+?)` \|", section, re.MULTILINE) == list(leaves(values))


@dataclass
class Example:
    above: int = 1
    #: first line
    #: and second line
    below: int = 2
    beside: int = 3  #: on its line
    wrapped: int = (
        4  # on a line of its own
    )  # fmt: skip


def test_comments_of_fields_are_read_above_and_beside_them(modules):
    expected = {"above": "", "below": "first line and second line", "beside": "on its line"}
    assert modules[0].field_comments(Example) == {**expected, "wrapped": "on a line of its own"}


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        ("Give `a | b` and |x - y| * 2.", ["Give ``a | b`` and \\|x - y\\| \\* 2."]),
        ("Text:\n- one\n- two", ["Text:", "", "- one", "- two"]),
        ("In order:\n\n    a -> b\n\nThen.", ["In order:", "", "::", "", "    a -> b", "", "", "Then."]),
        ("Args:\n    x: a `float`.", ["Args:", "    x: a ``float``."]),
        (
            "Example:\n    ```python\n    run(*x)\n    ```",
            ["Example:", "", "    .. code-block:: python", "", "       run(*x)", ""],
        ),
        (
            "| a | b |\n|---|---|\n| 1 | `2` |",
            ["", ".. list-table::", "   :header-rows: 1", "", "   * - a", "     - b", "   * - 1", "     - ``2``", ""],
        ),
    ],
)
def test_docstrings_become_restructured_text(modules, docstring, expected):
    assert modules[1].to_restructured_text(docstring.split("\n")) == expected


@pytest.mark.parametrize("line", command_lines())
def test_commands_in_the_pages_exist_with_their_options(modules, line, tmp_path, monkeypatch):
    (study,) = (text for page, text in blocks("python") if page == "sweeps")
    (tmp_path / "my_study.py").write_text(study, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    words = shlex.split(line, comments=True)
    command = words[2].removeprefix("keras_radtl.")
    assert command in COMMANDS
    known = re.findall(r"--[a-zA-Z][a-z0-9-]*", modules[0].help_text(command, *words[3:4] * (command == "sweep")))
    assert {word for word in words if word.startswith("--")} <= set(known)


@pytest.mark.parametrize(("page", "text"), blocks("python"))
def test_python_in_the_pages_uses_public_names(page, text):
    tree = ast.parse(text)
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "rtl"
    }
    assert used <= set(keras_radtl.__all__)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module)
            assert all(hasattr(module, alias.name) for alias in node.names)


def test_the_citation_has_the_version():
    text = (DOCS.parent / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {keras_radtl.__version__}\n" in text


@pytest.mark.slow
def test_sphinx_builds_without_a_warning(tmp_path):
    for package in ("sphinx", "furo", "myst_parser"):
        pytest.importorskip(package, reason='needs the extra "docs"')
    options = ["-W", "--keep-going", "-q", "-b", "html", "-d", str(tmp_path / "doctrees")]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, str(DOCS), str(tmp_path / "html")],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "html" / "reference" / "configuration.html").is_file()
