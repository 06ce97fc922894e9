"""Whether an output can be written, checked before any work is done. Needs no TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from keras_radtl.config import UserError, require
from keras_radtl.runs.files import TEMPORARY

_RUN = ("config.json", "status.json")  # files of a run directory
_RESERVED = 32  # characters that the temporary name of an output adds to it
_LONGEST_NAME, _LONGEST_PATH = 255, 3800


def check_output_folder(path: str | Path, argument: str = "output", empty: bool = False) -> None:
    """Refuse a folder that cannot be made or written to.

    Args:
        path: The folder; it need not exist.
        argument: Name of the argument, for messages.
        empty: Refuse a folder that has files.
    Raises:
        UserError: Naming the path and the reason.
    """
    folder = _resolve(path, argument)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"`{argument}` must be a folder. Received: {path}, {_kind(folder)}")
    if empty and folder.is_dir() and any(not name.startswith(TEMPORARY) for name in os.listdir(folder)):
        raise UserError(f"`{argument}` must be a new or empty folder. Received: {path}")
    _try_to_write(path, folder / "x")
    if folder.parent.exists():
        _try_to_write(path, folder)  # a folder is written beside its name first


def check_output_file(
    path: str | Path, argument: str = "output", inputs: Iterable[str | Path] = (), overwrite: bool = True
) -> None:
    """Refuse a file that cannot be written, that is an input, or that must not be replaced.

    Args:
        path: The file; it need not exist.
        argument: Name of the argument, for messages.
        inputs: Files and folders that are read.
        overwrite: Accept an existing file.
    Raises:
        UserError: Naming the path and the reason.
    """
    file = _resolve(path, argument)
    if file.is_dir() or str(path).endswith(("/", os.sep)):
        raise UserError(f"`{argument}` must be a file. Received: {path}, a folder")
    if any(_same(file, given) for given in inputs):
        raise UserError(f"`{argument}` must not be an input. Received: {path}")
    if file.exists() and not file.is_file():
        raise UserError(f"`{argument}` must be a file. Received: {path}, {_kind(file)}")
    if all((file.parent / name).is_file() for name in _RUN):
        raise UserError(f"`{argument}` must be outside a run directory. Received: {path}")
    if file.exists() and not overwrite:
        raise UserError(f"{path} exists; choose another `{argument}`, or set `overwrite=True` to replace it")
    _try_to_write(path, file)


def _resolve(path: str | Path, argument: str) -> Path:
    """Return the absolute path without links, or refuse what cannot be a path."""
    text = os.fspath(path)
    try:
        text.encode()
        encodable = "\0" not in text
    except UnicodeEncodeError:
        encodable = False
    require(encodable and text.strip() != "", argument, "a path", text)
    require(not text.startswith("~"), argument, "a path with the home folder written out instead of ~", text)
    require(
        len(os.fsencode(os.path.abspath(text))) <= _LONGEST_PATH,
        argument,
        f"a path of at most {_LONGEST_PATH} bytes",
        text,
    )
    longest = max(len(os.fsencode(part)) for part in (*Path(text).parts, ""))
    most = _LONGEST_NAME - _RESERVED
    require(longest <= most, argument, f"a path with names of at most {most} bytes", text)
    real = Path(os.path.realpath(text))
    loop = next((part for part in (real, *real.parents) if part.is_symlink()), None)
    if loop is not None:
        raise UserError(
            f"`{argument}` must be a path that can be followed. Received: {path}, where {loop} is a link to itself"
        )
    return real


def _same(file: Path, given: str | Path) -> bool:
    try:
        return Path(os.path.realpath(given)) == file or (file.exists() and os.path.samefile(file, given))
    except (OSError, ValueError):  # an input that does not exist is refused where it is read
        return False


def _kind(path: Path) -> str:
    return "a file" if path.is_file() else "which is neither a file nor a folder"


def _try_to_write(shown: str | Path, path: Path) -> None:
    """Make and remove an empty temporary file in the folder in which `path` will be written, or the nearest one."""
    folder = next(parent for parent in path.parents if parent.exists())
    if not folder.is_dir():
        raise UserError(f"{shown} cannot be written: {folder} is {_kind(folder).removeprefix('which is ')}")
    probe = folder / f"{TEMPORARY}{os.getpid()}-check"
    try:
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT, 0o600))
        os.unlink(probe)
    except OSError as error:
        raise UserError(f"{shown} cannot be written: {folder}: {error.strerror}") from None
