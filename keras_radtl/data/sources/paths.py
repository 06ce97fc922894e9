"""Which files count as images, and how a path that data bring along is kept inside the data root."""

from __future__ import annotations

import os
import posixpath
import re
import stat
from pathlib import Path

from keras_radtl.config import UserError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


def is_image_name(name: str) -> bool:
    """Return whether a file name ends like a PNG, JPEG, BMP or TIFF."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def normal_path(text: str, where: str) -> str:
    """Return a path of a table as a plain relative path with "/".

    Args:
        text: the path as written, also with "\\" or "./".
        where: file and row, for messages.
    Raises:
        UserError: when it is absolute or leaves its root by "..".
    """
    path = text.replace("\\", "/")
    if path.startswith("/") or re.match(r"[A-Za-z]:", path):
        raise UserError(f"{where}: paths must be relative to the data root. Received: {text!r}")
    path = posixpath.normpath(path)
    if path == ".." or path.startswith("../"):
        raise UserError(f"{where}: path leaves the data root. Received: {text!r}")
    return path


class Root:
    """A data root that checks files: there, regular, readable by name, and inside, links followed."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._real = os.path.realpath(folder)
        self._inside: dict[str, bool] = {}

    def check(self, path: str, where: str) -> None:
        """Refuse the relative `path` unless it is a regular file inside the root.

        Raises:
            UserError: naming `where` (file and row, or nothing).
        """
        where = f"{where}: " if where else ""
        full = f"{self._real}/{path}"
        try:
            path.encode()
            link = stat.S_ISLNK(os.lstat(full).st_mode)
            mode = os.stat(full).st_mode
        except UnicodeEncodeError:
            raise UserError(f"{where}file name is not valid UTF-8: {os.fsencode(path)!r}") from None
        except (FileNotFoundError, NotADirectoryError):
            raise UserError(f"{where}no such file: {path}") from None
        except OSError as error:
            raise UserError(f"{where}cannot read {path}: {error.strerror}") from None
        inside = self._is_inside(os.path.dirname(full)) and not (link and not self._is_inside(full))
        if not inside:
            raise UserError(f"{where}{path} is a link that leaves the data root")
        if not stat.S_ISREG(mode):
            raise UserError(f"{where}{path} is not a regular file")

    def _is_inside(self, full: str) -> bool:
        if full not in self._inside:
            real = os.path.realpath(full)
            self._inside[full] = real == self._real or real.startswith(self._real.rstrip("/") + "/")
        return self._inside[full]
