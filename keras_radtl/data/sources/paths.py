"""Recognize image files by name, and keep the paths of a table inside the data root."""

from __future__ import annotations

import os
import posixpath
import re
import stat
from pathlib import Path

from keras_radtl.config import UserError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
IS_NORMALIZED = re.compile(r"(?!\.)[^/]+(/(?!\.)[^/]+)*").fullmatch  # paths that `normpath` leaves unchanged


def is_image_name(name: str) -> bool:
    """Return whether a file name has the suffix of a PNG, JPEG, BMP or TIFF file."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def is_mask_name(name: str) -> bool:
    """Return whether a file has `_mask` in its name, as the lesion masks of BUSI."""
    return "_mask" in os.path.splitext(name)[0].lower()


def is_hidden_name(name: str) -> bool:
    """Return whether a file or folder is hidden, or a folder of metadata that macOS adds to archives."""
    return name.startswith(".") or name == "__MACOSX"


def normalize_path(text: str) -> str:
    """Return a path of a table as a relative path with "/", without "." and "..".

    Args:
        text: The path as written in the table; it may contain "\\", "./" and "..".

    Raises:
        UserError: If the path is absolute, has a drive letter or leaves the data root.
    """
    path = text.replace("\\", "/")
    if not IS_NORMALIZED(path):
        path = posixpath.normpath(path)
    if path.startswith("/") or ":" in (text[1:2], path[1:2]):
        raise UserError(f"paths must be relative to the data root. Received: {text!r}")
    if path == ".." or path.startswith("../"):
        raise UserError(f"path leaves the data root. Received: {text!r}")
    return path


def printable(name: str) -> str:
    """Return a file name in which bytes that are not UTF-8 are written as `\\xff`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


class Root:
    """A data root that checks that files exist, are regular files and are inside the root after resolving links."""

    def __init__(self, folder: Path):
        self._real = os.path.realpath(folder)
        self._inside: dict[str, bool] = {}

    def find(self, text: str) -> str:
        """Return a path of a table after `normalize_path` and `check`."""
        path = normalize_path(text)
        self.check(path)
        return path

    def check(self, path: str) -> None:
        """Check that the relative `path` is a regular file inside the root.

        Raises:
            UserError: If it is not; the message has the path and the reason.
        """
        full = f"{self._real}/{path}"
        try:
            path.encode()
            mode = os.lstat(full).st_mode
            link = stat.S_ISLNK(mode)
            mode = os.stat(full).st_mode if link else mode
        except UnicodeEncodeError:
            raise UserError(f"file name is not valid UTF-8: {os.fsencode(path)!r}") from None
        except (FileNotFoundError, NotADirectoryError):
            raise UserError(f"no such file: {path}") from None
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}") from None
        if not self._is_inside(full.rpartition("/")[0]) or (link and not self._is_inside(full)):
            raise UserError(f"{path} is a link that leaves the data root")
        if not stat.S_ISREG(mode):
            raise UserError(f"{path} is not a regular file")

    def _is_inside(self, full: str) -> bool:
        if full not in self._inside:
            real = os.path.realpath(full)
            self._inside[full] = real == self._real or real.startswith(self._real.rstrip("/") + "/")
        return self._inside[full]
