"""One bad input, and the place in which it is tried."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TINY = (
    "--backbone tiny --weights none --image-size 32 --head linear --unfreeze all --epochs 3 --batch-size 16 "
    "--learning-rate 0.01 --schedule constant"
).split()
FIT = [*TINY, "--data", "<pictures>", "--output", "out"]
AUDIT = ["<pictures>", *TINY]
EVALUATE = ["<run>", "--data", "<pictures>", "--output", "out"]
PREDICT = ["<run>", "<image>", "--output", "new.csv"]
COMPARE = ["<scores>/a.csv", "<scores>/b.csv", "--output", "out"]
ANALYZE = ["<scores>/table.csv", "--response", "auc", "--fixed", "head", "--random", "task", "--output", "out"]
SWEEP = ["<list>", "--output", "out"]
TUNE = [*TINY, "--data", "<pictures>", "--output", "out", "--max-epochs", "1"]
PHANTOMS = ["out", "--count", "20", "--image-size", "32"]


@dataclass(frozen=True)
class Place:
    """Folders of a case.

    Attributes:
        here: the working folder of the command, in which everything may be damaged.
        shared: by name, the valid inputs, which are never changed.
    """

    here: Path
    shared: dict[str, Path]

    def copy(self, name: str, target: str = "") -> Path:
        """Copy a valid input into the working folder; returns the copy."""
        there = self.here / (target or name)
        copy = shutil.copytree if self.shared[name].is_dir() else shutil.copyfile
        copy(self.shared[name], there)
        return there

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file in the working folder."""
        path = self.here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path


@dataclass(frozen=True)
class Case:
    """One bad input.

    Attributes:
        name: of the case.
        command: name of the command.
        argv: its arguments; `<name>` stands for the path of a valid input, `<here>` for the working folder.
        expected: part of the error line.
        prepare: damages the working folder.
        early: the command must refuse before it reads images, loads models or computes.
        slow: takes more than a second.
    """

    name: str
    command: str
    argv: list[str]
    expected: str
    prepare: Callable[[Place], object] | None = None
    early: bool = False
    slow: bool = False

    def arguments(self, place: Place) -> list[str]:
        """Return the command line with the paths of a place."""
        filled = []
        for text in self.argv:
            for name, path in {**place.shared, "here": place.here}.items():
                text = text.replace(f"<{name}>", str(path))
            filled.append(text)
        return filled


def tree(folder: Path) -> dict[str, str]:
    """Return every path below a folder with its kind and content, except for the byte code of Python."""
    found = {}
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in (*folders, *files):
            path = Path(parent, name)
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode):
                kind = hashlib.sha256(path.read_bytes()).hexdigest()
            else:
                kind = os.readlink(path) if stat.S_ISLNK(mode) else str(stat.S_IFMT(mode))
            found[str(path.relative_to(folder))] = kind
    return found


def replaced(argv: list[str], option: str, value: str) -> list[str]:
    """Return a command line with another value of an option; the option is added where it is missing."""
    argv = list(argv)
    if option in argv:
        position = argv.index(option)
        del argv[position : position + 2]
    return [*argv, f"{option}={value}"]
