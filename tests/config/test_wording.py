"""Messages name arguments in Python and flags on the command line."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import keras_radtl
from keras_radtl.config.wording import as_flags

COMMAND_LINE = ("cli", "studies")  # folders whose messages may name flags


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("`image_size` must be at least 32", "--image-size must be at least 32"),
        ("`training.epochs` must be >= 1", "--epochs must be >= 1"),
        ("`overwrite=True` starts over", "--overwrite starts over"),
        ("use `weights=none`", "use --weights none"),
        ("use `on_bad_image='skip'`", "use --on-bad-image skip"),
        ("`reuse=False` recomputes them", "--no-reuse recomputes them"),
        ("`skip_missing=['acl', 'breast']`", "--skip-missing acl breast"),
        ("use `data={'acl': 'PATH'}`", "use --data-acl PATH"),
        ("`data={'acl': 'PATH', 'breast': 'PATH'}`", "--data-acl PATH --data-breast PATH"),
        ("`skip_missing=['acl', 'radimagenet:resnet50']`", "--skip-missing acl radimagenet:resnet50"),
        ("`ray_address` needs `engine='ray'`", "--ray-address needs --engine ray"),
        ("use `device='cpu'`", "use --device cpu"),
        ("Unknown backbone `resnet51`", "Unknown backbone `resnet51`"),
        ("`augment.rotation` must be in [0, 180]", "`augment.rotation` must be in [0, 180]"),
    ],
)
def test_arguments_become_flags(message, expected):
    assert as_flags(message) == expected


def test_further_options_of_a_command():
    assert as_flags("`kernel_sizes` must be among 2, 4", ["kernel_sizes"]) == "--kernel-sizes must be among 2, 4"
    assert as_flags("`kernel_sizes` must be among 2, 4") == "`kernel_sizes` must be among 2, 4"


def test_same_error_in_python_and_on_the_command_line(capsys):
    from keras_radtl.fit import main

    with pytest.raises(keras_radtl.UserError, match="^`image_size` must be in"):
        keras_radtl.Config.preset(image_size=3)
    assert main(["--image-size", "3"]) == 2
    assert capsys.readouterr().err.startswith("error: --image-size must be in [8, 4096] pixels.")


def _messages(path: Path):
    """Yield the text of every string in a file that is not a docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docs = {id(n.body[0].value) for n in ast.walk(tree) if isinstance(n, documented) and ast.get_docstring(n)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.lineno, node.value


def test_library_messages_name_no_flags():
    root, found = Path(keras_radtl.__file__).parent, []
    for path in root.rglob("*/**/*.py"):
        if path.relative_to(root).parts[0] in COMMAND_LINE or path.name in ("__main__.py", "wording.py"):
            continue
        found += [f"{path}:{n}: {text}" for n, text in _messages(path) if re.search(r"(^|[\s(`])--[a-z]", text)]
    assert not [line for line in found if "pip install" not in line]
