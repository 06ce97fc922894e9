"""Errors in a user's Python file: one line with the file and the line number."""

from __future__ import annotations

import pytest

from keras_radtl.config import UserError
from keras_radtl.sweeps.user_code import load_module, user_code


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\ndef f(:\n", "line 2: SyntaxError: invalid syntax"),
        ("x = [\n", "line 1: SyntaxError: '[' was never closed"),
        (
            "def f():\nx = 1\n",
            "line 2: IndentationError: expected an indented block after function definition on line 1",
        ),
        ("\n\nx = 1 / 0\n", "line 3: ZeroDivisionError: division by zero"),
        ("import no_such_module\n", "line 1: ModuleNotFoundError: No module named 'no_such_module'"),
        ("def f():\n    raise KeyError\n\nf()\n", "line 2: KeyError"),
        ("import sys\nsys.exit(7)\n", "line 2: SystemExit(7): a list of runs must not end the process"),
        ("raise SystemExit('text')\n", "line 1: SystemExit('text'): a list of runs must not end the process"),
        (
            "from keras_radtl.config import Config\nConfig.preset(epochs=0)\n",
            "line 2: `epochs` must be",
        ),
    ],
)
def test_errors_name_file_and_line(tmp_path, text, message):
    path = tmp_path / "some.py"
    path.write_text(text)
    with pytest.raises(UserError) as found:
        load_module(path)
    assert str(found.value).startswith(f"{path}, {message}") and "\n" not in str(found.value)


def test_a_file_that_is_not_text(tmp_path):
    path = tmp_path / "some.py"
    path.write_bytes(b"\x00\xff")
    with pytest.raises(UserError, match=r"some.py.*: (SyntaxError|ValueError)"):
        load_module(path)


def test_errors_outside_the_file_name_the_file(tmp_path):
    with pytest.raises(UserError, match="^some.py: ValueError: no$"), user_code("some.py"):
        raise ValueError("no")


def test_user_errors_of_the_package_pass_unchanged():
    with pytest.raises(UserError, match="^no$"), user_code("some.py"):
        raise UserError("no")


def test_code_of_the_package_and_interrupts_pass_unchanged():
    with pytest.raises(ValueError, match="^no$"), user_code(""):
        raise ValueError("no")
    with pytest.raises(KeyboardInterrupt), user_code("some.py"):
        raise KeyboardInterrupt
