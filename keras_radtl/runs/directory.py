"""The run directory: the files a run leaves, how they are written and when a directory may be written again.

Every file is written under a temporary name in its own folder, flushed to disk and renamed, so that a reader finds the
old file or the new one, never half of one. `status.json` says how far the run came; its state `finished` is written
last. Needs no TensorFlow.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_radtl.config import Config, UserError, dumps, from_dict, load_values, to_dict

CONFIG = "config.json"
ENVIRONMENT = "environment.json"
SPLIT = "split.csv"
REJECTED = "rejected.csv"
HISTORY = "history.csv"
LEARNING_RATES = "learning_rates.csv"
MODEL = "model.keras"
METRICS = "metrics.json"
SUMMARY = "summary.json"
STATUS = "status.json"
CHECKPOINT = "checkpoint.npz"
FIGURES = "figures"
TENSORBOARD = "tensorboard"
SPLITS = ("train", "val", "test")
FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")  # spreadsheets run a cell that begins so; the apostrophe marks them
_TEMPORARY = ".tmp-"


def predictions_name(split: str) -> str:
    """Return the file name of the predictions of `train`, `val` or `test`."""
    return f"predictions_{split}.csv"


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success flush it to disk and rename it to `path`, else remove it.

    The temporary name ends like `path`, since Keras routes by the suffix.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{_TEMPORARY}{os.getpid()}-{path.name}")
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_text_atomic(path: str | Path, text: str) -> None:
    """Write a UTF-8 text file so that it is there whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def write_json(path: str | Path, value) -> None:
    """Write strictly valid, indented JSON (no NaN) atomically."""
    write_text_atomic(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: str | Path):
    """Read a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def csv_cell(value) -> str:
    """Return the text of one CSV cell; text that a spreadsheet would run as a formula gets a leading apostrophe."""
    if isinstance(value, str):
        return "'" + value if value[:1] in FORMULA else value
    if value is None:
        return ""
    return (
        repr(float(value))
        if isinstance(value, float) or hasattr(value, "dtype") and value.dtype.kind == "f"
        else str(value)
    )


def write_csv(path: str | Path, columns: Sequence[str], rows: Iterable[Sequence]) -> None:
    """Write a CSV atomically; floats keep all their digits (see `csv_cell`)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([csv_cell(value) for value in row] for row in rows)
    write_text_atomic(path, text.getvalue())


def read_csv(path: str | Path) -> list[dict[str, str]]:
    """Read a CSV of ours as a list of rows, each a dict by column, without the apostrophes of `csv_cell`."""
    with open(path, newline="", encoding="utf-8") as file:
        return [
            {k: v[1:] if v[:1] == "'" and v[1:2] in FORMULA else v for k, v in row.items()}
            for row in csv.DictReader(file)
        ]


def config_hash(config: Config) -> str:
    """Return the first 12 hex digits of the SHA-256 of a configuration."""
    return hashlib.sha256(json.dumps(to_dict(config), sort_keys=True).encode()).hexdigest()[:12]


def difference(old: Mapping, new: Mapping, where: str = "") -> list[str]:
    """List the dotted keys in which two nested dicts differ, with both values."""
    found = []
    for key in sorted({*old, *new}):
        name = f"{where}.{key}" if where else key
        a, b = old.get(key), new.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += difference(a, b, name)
        elif a != b:
            found.append(f"{name}: {a!r} there, {b!r} now")
    return found


@dataclass(frozen=True)
class RunDirectory:
    """One run's folder; with cross-validation each fold has a folder of the same form in it."""

    path: Path

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def fold(self, fold: int) -> RunDirectory:
        """Return the directory of one fold; fold 0, the only split, is the run itself."""
        return RunDirectory(self.path / f"fold_{fold}") if fold else self

    @property
    def status(self) -> dict:
        """The content of `status.json`; empty before the first one is written."""
        file = self / STATUS
        return read_json(file) if file.is_file() else {}

    @property
    def finished(self) -> bool:
        """Whether everything of this run has been written."""
        return self.status.get("state") == "finished"

    def set_status(self, state: str, **details) -> None:
        """Write `status.json`: state is `running` or `finished`."""
        write_json(self / STATUS, {"state": state, **details})

    def config(self) -> Config:
        """Return the configuration of the run.

        Raises:
            UserError: when the folder is not a run directory.
        """
        if not (self / CONFIG).is_file():
            raise UserError(f"{self.path} is not a run directory: it has no {CONFIG}")
        return from_dict(Config, load_values(self / CONFIG))

    def clean(self) -> None:
        """Remove temporary files that a crash left behind."""
        for file in self.path.rglob(f"{_TEMPORARY}*"):
            file.unlink(missing_ok=True)


def check_output(path: str | Path, config: Config, resume: bool, overwrite: bool) -> str:
    """Decide what to do with an output folder: `new`, `resume` (unfinished, same configuration), `done` or `overwrite`.

    Raises:
        UserError: when the folder holds something else, a finished run (without `resume` or `overwrite`) or a run with
            another configuration (without `overwrite`).
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise UserError(f"--output {path} is a file; name a folder")
    if not path.exists() or not any(not name.startswith(_TEMPORARY) for name in os.listdir(path)):
        return "new"
    run = RunDirectory(path)
    if not (run / CONFIG).is_file():
        raise UserError(f"--output {path} is a folder with other files in it; name a new or empty folder")
    if overwrite:
        return "overwrite"
    changed = difference(to_dict(run.config()), to_dict(config))  # as read: YAML takes 1e-05 for text
    if changed:
        raise UserError(
            f"{path} holds a run with another configuration ({'; '.join(changed[:5])}); name another --output, or --overwrite it"
        )
    if run.finished and not resume:
        raise UserError(
            f"{path} holds a finished run; name another --output, --overwrite it, or show it again with --resume"
        )
    return "done" if run.finished else "resume"


def create(path: str | Path, config: Config, environment: dict) -> RunDirectory:
    """Make the run directory with its configuration and environment; an old run of that name goes first.

    The folder gets its name only when these files are in it, so that there is no moment at which it is not a run.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f"{_TEMPORARY}*-{path.name}"):  # by a crash: the writer of `path` is locked
        shutil.rmtree(left, ignore_errors=True)
    fresh = RunDirectory(path.with_name(f"{_TEMPORARY}{os.getpid()}-{path.name}"))
    try:
        write_text_atomic(fresh / CONFIG, dumps(config))
        write_json(fresh / ENVIRONMENT, environment)
        fresh.set_status("running", epoch=0)
        if path.exists():
            old = path.with_name(f"{_TEMPORARY}old-{os.getpid()}-{path.name}")
            os.replace(path, old)
            try:
                os.replace(fresh.path, path)
            except OSError:
                os.replace(old, path)
                raise
            shutil.rmtree(old)
        else:
            os.replace(fresh.path, path)
    finally:
        shutil.rmtree(fresh.path, ignore_errors=True)
    _sync_folder(path.parent)
    return RunDirectory(path)


@contextlib.contextmanager
def locked(path: str | Path) -> Iterator[None]:
    """Hold the only right to write `path` on this machine; a second writer is refused.

    Raises:
        UserError: when another process holds it.
    """
    from filelock import FileLock, Timeout

    name = hashlib.sha256(str(Path(path).resolve()).encode()).hexdigest()[:16]
    lock = FileLock(Path(tempfile.gettempdir()) / f"keras_radtl-{name}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(f"Another process is writing {path}; wait for it or name another --output") from None
    try:
        yield
    finally:
        lock.release()
