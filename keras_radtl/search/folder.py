"""The folder of a search: its description, the results of trials, and a snapshot of the state of KerasTuner.

KerasTuner overwrites its files one by one, so that a killed process may leave them damaged or inconsistent. After each
trial all of them are therefore copied into one file, which is written atomically, and a search resumes from this
snapshot alone. The same seed draws the same trials, and a finished trial is not trained again, so that no finished
trial is lost even without a snapshot.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from keras_radtl.config import Config, UserError, to_dict
from keras_radtl.runs.directory import CONFIG, METRICS, STATUS, SUMMARY, RunDirectory
from keras_radtl.runs.files import TEMPORARY, difference, read_json, remove_temporary, write_json
from keras_radtl.search.settings import TunerSettings
from keras_radtl.search.space import Space

SEARCH = "search.json"
SNAPSHOT = "snapshot.json"
TRIALS = "trials"
TABLE = "trials.csv"
BEST = "best_config.json"
LOG = "trials.log"
_LOCK = ".worker.lock"  # of its worker
_EXECUTION = ("keep", "retries")  # settings that do not affect which trials are drawn
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrialResult:
    """The result of a finished trial.

    Attributes:
        val_auc: Validation AUC of the best epoch.
        best_epoch: The best epoch, counted from 1.
        seconds: Duration of training and prediction.
        diverged: Whether the training diverged.
    """

    val_auc: float
    best_epoch: int
    seconds: float
    diverged: bool = False


def describe_search(config: Config, space: Space, settings: TunerSettings, data_sha256: str) -> dict:
    """Return everything that determines the trials of a search and their results, as a JSON-able dict."""
    algorithm = {name: value for name, value in asdict(settings).items() if name not in _EXECUTION}
    values = {"algorithm": algorithm, "space": space.to_dict(), "config": to_dict(config), "data_sha256": data_sha256}
    return json.loads(json.dumps(values))


def search_hash(description: dict) -> str:
    """Return the first 12 hex digits of the SHA-256 of a description, which are the name of the KerasTuner project."""
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()[:12]


class SearchFolder:
    """The folder of a search.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path):
        self.path = Path(path)

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def run(self, trial: str) -> RunDirectory:
        """Return the run directory of one trial."""
        return RunDirectory(self.path / TRIALS / trial)

    def prepare(self, overwrite: bool = False) -> bool:
        """Create the folder, or accept the folder of an earlier search.

        Args:
            overwrite: Accept a search whose description is damaged.
        Returns:
            Whether the folder is new.
        Raises:
            UserError: If the folder contains other files, or nothing tells which search it has.
        """
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"`output` must be a folder. Received: {self.path}, a file")
        found = self._found() if self.path.exists() else []
        if found and SEARCH not in found:
            raise UserError(
                f"`output` must be a new or empty folder. Received: {self.path}, which contains other files"
            )
        if found and not overwrite and not any(self.path.glob("search-*/")):
            self._description()
        self.path.mkdir(parents=True, exist_ok=True)
        remove_temporary(self.path)
        return not found

    def discard(self) -> None:
        """Remove the folder if it contains only the log."""
        if not self._found():
            shutil.rmtree(self.path)

    def _found(self) -> list[str]:
        """Return the names in the folder, without those that a search may leave before it writes its description."""
        return [name for name in os.listdir(self.path) if name not in (LOG, _LOCK) and not name.startswith(TEMPORARY)]

    def claim(self, description: dict, overwrite: bool) -> Path:
        """Write the description of a search, or check it against the search in the folder.

        Args:
            description: From `describe_search`.
            overwrite: Remove a search that is in the folder.
        Returns:
            The project folder of KerasTuner.
        Raises:
            UserError: If the folder contains another search; the message lists the differences.
        """
        project = self.path / f"search-{search_hash(description)}"
        if overwrite:
            self._clear()
        changed = difference(self._read_search(project, description), description)
        if changed:
            problem = f"{self.path} contains another search ({'; '.join(changed[:3])})"
            raise UserError(f"{problem}; choose another `output`, or set `overwrite=True` to replace it")
        write_json(self / SEARCH, description)
        return project

    def _clear(self) -> None:
        for path in self.path.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != LOG:
                path.unlink()

    def _read_search(self, project: Path, description: dict) -> dict:
        if not (self / SEARCH).is_file():
            return description
        try:
            return self._description()
        except UserError:
            if project.is_dir():  # its name is the hash of this search
                return description
            raise

    def _description(self) -> dict:
        try:
            return dict(read_json(self / SEARCH))
        except (ValueError, TypeError):
            raise UserError(
                f"{self / SEARCH} is damaged; choose another `output`, or set `overwrite=True` to start over"
            ) from None

    def result(self, trial: str, config: Config) -> TrialResult | None:
        """Return the result of a trial; None if its run is unfinished, damaged or of another configuration."""
        run = self.run(trial)
        try:
            if not run.finished or difference(read_json(run / CONFIG), to_dict(config)):
                return None
            summary, value = read_json(run / SUMMARY), read_json(run / METRICS)["val"]["auc"]["value"]
            diverged = bool(summary.get("diverged"))
            return TrialResult(float(value), int(summary["best_epoch"]), float(summary["seconds"]), diverged)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def remove_unusable(self, trial: str, config: Config) -> None:
        """Remove the run directory of a trial, unless the run can resume with this configuration."""
        run = self.run(trial)
        try:
            unfinished = read_json(run / STATUS)["state"] != "finished"
            if unfinished and not difference(read_json(run / CONFIG), to_dict(config)):
                return
        except (OSError, ValueError, KeyError, TypeError):
            logger.debug("trial %s has no run directory that can be read", trial)
        shutil.rmtree(run.path, ignore_errors=True)

    def take_snapshot(self, project: Path) -> None:
        """Copy the files of KerasTuner into one file, which is written atomically."""
        paths = sorted(project.rglob("*.json"))
        files = {path.relative_to(project).as_posix(): path.read_text(encoding="utf-8") for path in paths}
        write_json(self / SNAPSHOT, {"project": project.name, "sha256": _checksum(files), "files": files})

    def restore_snapshot(self, project: Path) -> None:
        """Restore the files of KerasTuner from the last snapshot; remove them if there is no intact snapshot."""
        files = self._read_snapshot(project)
        shutil.rmtree(project, ignore_errors=True)
        for name, text in files.items():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            (project / name).write_text(text, encoding="utf-8")

    def _read_snapshot(self, project: Path) -> dict[str, str]:
        if not (self / SNAPSHOT).is_file():
            return {}
        try:
            snapshot = read_json(self / SNAPSHOT)
            intact = snapshot["project"] == project.name and snapshot["sha256"] == _checksum(snapshot["files"])
        except (ValueError, KeyError, TypeError, AttributeError):
            intact = False
        if not intact:
            logger.warning("%s is damaged: the search starts over and reuses finished trials", self / SNAPSHOT)
            return {}
        return snapshot["files"]


def _checksum(files: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
