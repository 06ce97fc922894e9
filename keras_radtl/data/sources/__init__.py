"""Sources of images and labels: one module per format, each of which returns a `CaseTable`."""

from __future__ import annotations

from pathlib import Path

from keras_radtl.config import DataConfig, UserError
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
        return with_positive(_phantoms(config), config.positive)
    try:
        return with_positive(_read_path(Path(config.path).expanduser(), config), config.positive)
    except OSError as error:
        raise UserError(f"Cannot read {error.filename or config.path}: {error.strerror or error}") from None


def _read_path(path: Path, config: DataConfig) -> CaseTable:
    if "\0" in config.path or not path.exists():
        raise UserError(f"No such file or folder: {config.path!r}")
    if path.is_dir():
        return radimagenet.read(path, config) if radimagenet.is_task(path) else folder.read(path, config)
    if path.suffix.lower() in (".csv", ".tsv", ".txt"):
        return csv_file.read(path, config)
    if path.suffix.lower() == ".npz":
        return medmnist.read(path, config)
    raise UserError(f"`data` must be a folder, a .csv, .tsv or .txt table, or a .npz file. Received: {config.path!r}")


def _phantoms(config: DataConfig) -> CaseTable:
    from keras_radtl.data.phantoms.generate import make_phantoms
    from keras_radtl.data.sources.groups import find_groups

    table = make_phantoms(config.phantoms)
    return table if config.groups == "auto" else find_groups(table, config.groups)
