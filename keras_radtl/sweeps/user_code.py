"""Run the code of a user's Python file: what goes wrong there becomes one line with the file and the line number."""

from __future__ import annotations

import importlib.util
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from keras_radtl.config import UserError


def load_module(path: str | Path) -> ModuleType:
    """Import a Python file of the user.

    Args:
        path: Path of the file. What it does when it is imported, such as adding a backbone, is done.
    Returns:
        The module.
    Raises:
        UserError: If there is no such Python file, or an error occurs in it; the message names the file and the line.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"No such Python file: '{path}'")
    spec = importlib.util.spec_from_file_location(f"user_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UserError(f"A list of runs must be a Python file. Received: '{path}'")
    module = importlib.util.module_from_spec(spec)
    with user_code(path):
        spec.loader.exec_module(module)
    return module


@contextmanager
def user_code(path: str | Path) -> Iterator[None]:
    """Turn any exception of a user's file, `SystemExit` too, into a `UserError` that names the file and the line.

    Args:
        path: Path of the file; empty: the code is part of the package, and exceptions pass unchanged.
    """
    try:
        yield
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        if not str(path) or isinstance(error, UserError) and not _lines(error, Path(path)):
            raise
        raise UserError(f"{_place(error, Path(path))}: {_what(error)}") from None


def _place(error: BaseException, path: Path) -> str:
    """Return the file and the line number of an exception, such as `list.py, line 12`."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).name == path.name:
        return f"{path}, line {error.lineno}"
    lines = _lines(error, path)
    return f"{path}, line {lines[-1]}" if lines else str(path)


def _lines(error: BaseException, path: Path) -> list[int]:
    """Return the line numbers of the frames in the file, the innermost last."""
    frames = traceback.extract_tb(error.__traceback__)
    return [frame.lineno for frame in frames if frame.lineno and Path(frame.filename).name == path.name]


def _what(error: BaseException) -> str:
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg}"
    if isinstance(error, SystemExit):
        return f"SystemExit({error.code!r}): a list of runs must not end the process"
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
