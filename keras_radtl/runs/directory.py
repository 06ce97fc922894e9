"""The run directory: its files, its status, and the rules for resuming and overwriting a run.

`status.json` records the progress of a run; its state `finished` is written last. Needs no TensorFlow.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from keras_radtl.config import Config, DataConfig, UserError, dumps, from_dict, load_values, to_dict
from keras_radtl.runs import records
from keras_radtl.runs.files import TEMPORARY, difference, sync_folder, write_json, write_text_atomic
from keras_radtl.runs.outputs import check_output_folder

RUNS = Path("saved_models")  # default folder of run directories
CONFIG = "config.json"
ENVIRONMENT = "environment.json"
SPLIT = "split.csv"
REJECTED = "rejected.csv"
HISTORY = "history.csv"
LEARNING_RATES = "learning_rates.csv"
MODEL = "model.keras"
METRICS = "metrics.json"
SUMMARY = "summary.json"
COEFFICIENTS = "coefficients.npz"
STATUS = "status.json"
CHECKPOINT = "checkpoint.npz"
FIGURES = "figures"
TENSORBOARD = "tensorboard"
SPLITS = ("train", "val", "test")
_FOLD = re.compile(r"fold_[0-9]+")


def predictions_name(split: str) -> str:
    """Return the file name of the predictions of `train`, `val` or `test`."""
    return f"predictions_{split}.csv"


def default_output(config: Config) -> Path:
    """Return the default run directory of a configuration; equal configurations have the same one."""
    if config.data.path == DataConfig.path:
        name = config.preset_name
    else:
        name = re.sub(r"[^A-Za-z0-9]+", "-", Path(config.data.path).stem).strip("-").lower() or "data"
    return RUNS / f"{name}-{config_hash(config)[:6]}"


def config_hash(config: Config) -> str:
    """Return the first 12 hex digits of the SHA-256 of a configuration."""
    return hashlib.sha256(json.dumps(to_dict(config), sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class RunDirectory:
    """The directory of a run; each fold of a cross-validated run has a subdirectory of the same layout.

    Attributes:
        path: The directory.
    """

    path: Path

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def fold(self, fold: int) -> RunDirectory:
        """Return the directory of a fold, or of the run itself for fold 0, which stands for a single split."""
        return RunDirectory(self.path / f"fold_{fold}") if fold else self

    @property
    def status(self) -> dict:
        """The content of `status.json`; empty before it is first written.

        Raises:
            UserError: If the file is damaged, or missing in a run directory.
        """
        file = self / STATUS
        started = os.path.lexists(file) or os.path.lexists(self / CONFIG)
        return records.read_status(file) if started else {}

    @property
    def finished(self) -> bool:
        """Whether the run is complete."""
        return self.status.get("state") == "finished"

    def set_status(self, state: str, **details) -> None:
        """Write `status.json`.

        Args:
            state: `running` or `finished`.
            details: Further values, such as `epoch`.
        """
        write_json(self / STATUS, {"state": state, **details})

    @property
    def config_file(self) -> Path:
        """The configuration file; a fold has that of its cross-validated run."""
        own, path = self / CONFIG, self.path.absolute()
        above = path.parent / CONFIG
        if os.path.lexists(own) or not (_FOLD.fullmatch(path.name) and path.is_dir() and os.path.lexists(above)):
            return own
        return above

    def config(self) -> Config:
        """Return the configuration of the run, or of the run to which this fold belongs.

        Raises:
            UserError: If the folder is not a run directory, or the file is damaged.
        """
        file = self.config_file
        if not os.path.lexists(file):
            raise UserError(f"{self.path} is not a run directory: it has no {CONFIG}")
        values = load_values(file)
        try:
            return from_dict(Config, values)
        except UserError as error:
            raise UserError(f"{file} is damaged: {error}") from None

    def require_finished(self) -> None:
        """Raise an error unless the run is finished.

        Raises:
            UserError: If the folder is not a run directory, the run is not finished, or `status.json` is damaged.
        """
        if not os.path.lexists(self.config_file):
            raise UserError(f"{self.path} is not a run directory: it has no {CONFIG}")
        if not self.finished:
            raise UserError(f"{self.path} is not finished; repeat the command or call that started it to resume")

    def summary(self) -> dict:
        """Return the content of `summary.json`; see `records.read_summary`."""
        return records.read_summary(self / SUMMARY)

    def metrics(self) -> dict[str, dict]:
        """Return the content of `metrics.json`; see `records.read_metrics`."""
        return records.read_metrics(self / METRICS)

    def environment(self) -> dict:
        """Return the content of `environment.json`; see `records.read_environment`."""
        return records.read_environment(self / ENVIRONMENT)

    def clean(self) -> None:
        """Remove temporary files that a crash left behind."""
        for file in self.path.rglob(f"{TEMPORARY}*"):
            file.unlink(missing_ok=True)


def check_output(path: str | Path, config: Config, resume: bool, overwrite: bool) -> str:
    """Return what to do with an output folder.

    Args:
        path: The folder.
        config: Configuration of the run that will be written.
        resume: Accept a finished run.
        overwrite: Accept any run.
    Returns:
        `new`; `resume` for an unfinished run of the same configuration; `done` for a finished one; `overwrite`.

    Raises:
        UserError: If the folder contains other files, a finished run (without `resume` or `overwrite`) or a run with
            a different configuration (without `overwrite`).
    """
    path = Path(path)
    check_output_folder(path)
    if not path.exists() or not any(not name.startswith(TEMPORARY) for name in os.listdir(path)):
        return "new"
    run = RunDirectory(path)
    if not os.path.lexists(run / CONFIG):
        raise UserError(f"`output` must be a new or empty folder. Received: {path}, which contains other files")
    if overwrite:
        return "overwrite"
    changed = difference(to_dict(run.config()), to_dict(config))  # parsed, since YAML reads 1e-05 as a string
    if changed:
        raise UserError(
            f"{path} contains a run with a different configuration ({'; '.join(changed[:5])}); choose another "
            "`output`, or set `overwrite=True` to replace it"
        )
    if run.finished and not resume:
        raise UserError(
            f"{path} contains a finished run; choose another `output`, or set `overwrite=True` to replace it or "
            "`resume=True` to show it"
        )
    return "done" if run.finished else "resume"


def create(path: str | Path, config: Config, environment: dict) -> RunDirectory:
    """Create the run directory with its configuration and environment, replacing a run of the same name.

    The files are written to a temporary folder, which is then renamed: a folder of this name is always a valid run.

    Args:
        path: The run directory.
        config: Configuration of the run.
        environment: JSON-able dict for `environment.json`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f"{TEMPORARY}*-{path.name}"):  # left by a crash: `path` has only one writer
        shutil.rmtree(left, ignore_errors=True)
    fresh = RunDirectory(path.with_name(f"{TEMPORARY}{os.getpid()}-{path.name}"))
    try:
        write_text_atomic(fresh / CONFIG, dumps(config))
        write_json(fresh / ENVIRONMENT, environment)
        fresh.set_status("running", epoch=0)
        if path.exists():
            old = path.with_name(f"{TEMPORARY}old-{os.getpid()}-{path.name}")
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
    sync_folder(path.parent)
    return RunDirectory(path)
