"""Sources of images and labels: one module per format, each of which returns a `CaseTable`."""

from __future__ import annotations

from pathlib import Path

from keras_radtl.config import DataConfig, UserError
from keras_radtl.config.errors import shown
from keras_radtl.config.paths import user_path
from keras_radtl.data.sources import csv_file, folder, medmnist, radimagenet
from keras_radtl.data.table import CaseTable, with_positive

PHANTOMS = "phantoms"  # value of `data.path` for simulated images


def read_table(config: DataConfig) -> CaseTable:
    """Read the cases at `config.path`.

    The format is detected: a folder is read as a RadImageNet task if it has the tables of one, else as class folders;
    files are read by their suffix.

    Args:
        config: Path and options of the data.

    Returns:
        The `CaseTable`.

    Raises:
        UserError: If the data cannot be read; the message names the file, row or option.
    """
    if config.path == PHANTOMS:
        _refuse_columns(config, "simulated images have")
        return with_positive(_phantoms(config), config.positive)
    try:
        return with_positive(_read_path(user_path(config.path), config), config.positive)
    except OSError as error:
        raise UserError(f"Cannot read {error.filename or config.path}: {error.strerror or error}") from None


def _read_path(path: Path, config: DataConfig) -> CaseTable:
    if not path.exists():
        raise UserError(f"No such file or folder: {config.path!r}")
    if path.is_dir():
        if radimagenet.is_task(path):
            return radimagenet.read(path, config)
        _refuse_columns(config, "a folder of class folders has")
        return folder.read(path, config)
    if not path.is_file():
        raise UserError(f"`data` must be a folder or a regular file. Received: {config.path!r}")
    if path.suffix.lower() in (".csv", ".tsv", ".txt"):
        return csv_file.read(path, config)
    if path.suffix.lower() == ".npz":
        _refuse_columns(config, "a .npz file has")
        return medmnist.read(path, config)
    raise UserError(f"`data` must be a folder, a .csv, .tsv or .txt table, or a .npz file. Received: {config.path!r}")


def _refuse_columns(config: DataConfig, what: str) -> None:
    for name, value in (("label", config.label), ("labels", config.labels)):
        if value:
            raise UserError(f"`{name}` is for tables: {what} no columns. Received: {name}={shown(value)}")


def _phantoms(config: DataConfig) -> CaseTable:
    from keras_radtl.data.phantoms.generate import make_phantoms
    from keras_radtl.data.sources.groups import find_groups

    table = make_phantoms(config.phantoms)
    return table if config.groups == "auto" else find_groups(table, config.groups)
