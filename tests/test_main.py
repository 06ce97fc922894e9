"""`python -m keras_radtl`: the list of commands, and running one."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec

import pytest

from keras_radtl import __version__
from keras_radtl.__main__ import COMMANDS, main


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]])
def test_list_has_a_line_per_command(arguments, capsys):
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    for name, text in COMMANDS.items():
        assert [line.split(maxsplit=1) for line in lines].count([name, text]) == 1


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"keras_radtl {__version__}\n"


def test_unknown_command_is_an_error(capsys):
    assert main(["fitt"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: Unknown command 'fitt'. Known: fit, ") and err.count("\n") == 1


def test_arguments_are_passed_to_the_command(capsys):
    assert main(["fit", "--print-config", "--seed", "7"]) == 0
    assert '"seed": 7' in capsys.readouterr().out
    assert main(["fit", "--seed", "x"]) == 2
    assert capsys.readouterr().err == "error: --seed must be an integer. Received: 'x'\n"


def test_models_command(monkeypatch):
    given = []
    monkeypatch.setattr(import_module("keras_radtl.models.__main__"), "main", lambda argv: given.append(argv) or 3)
    assert main(["models", "--backbone", "resnet50"]) == 3 and given == [["--backbone", "resnet50"]]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_exists(name):
    assert find_spec(f"keras_radtl.{name}") is not None


def test_run_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "keras_radtl", "--version"], capture_output=True, text=True, timeout=20
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"keras_radtl {__version__}\n", "")
