"""What a search leaves in its folder, and how it goes on after a kill.

KerasTuner writes its files in place, one by one, so that a kill may leave them damaged or of different moments. Here
all of them are copied into one file after each trial, whole or not at all, and a search goes on from that copy alone.
Since a search draws the same trials from the same seed, and a trial whose run directory is finished is read and not
trained again, even the loss of the copy costs no finished trial.
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
from keras_radtl.runs.files import difference, read_json, write_json
from keras_radtl.search.settings import TunerSettings
from keras_radtl.search.space import Space

SEARCH = "search.json"
SNAPSHOT = "snapshot.json"
TRIALS = "trials"
TABLE = "trials.csv"
BEST = "best_config.json"
LOG = "trials.log"
_HOW = ("keep", "retries")  # settings that do not change which trials are drawn
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrialResult:
    """What a finished trial gave.

    Attributes:
        val_auc: area under the ROC curve of the validation cases, of the model that the run kept.
        best_epoch: its epoch, from 1.
        seconds: of training and prediction.
    """

    val_auc: float
    best_epoch: int
    seconds: float


def describe_search(config: Config, space: Space, settings: TunerSettings, data_sha256: str) -> dict:
    """Return all that decides which trials a search draws and what they give, as a JSON-able dict."""
    how = {name: value for name, value in asdict(settings).items() if name not in _HOW}
    values = {"algorithm": how, "space": space.to_dict(), "config": to_dict(config), "data_sha256": data_sha256}
    return json.loads(json.dumps(values))


def search_hash(description: dict) -> str:
    """Return the first 12 hex digits of the SHA-256 of a search's description, which name its KerasTuner project."""
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()[:12]


class SearchFolder:
    """The folder of a search.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path):
        self.path = Path(path)

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def run(self, trial: str) -> RunDirectory:
        """Return the run directory of one trial."""
        return RunDirectory(self.path / TRIALS / trial)

    def prepare(self) -> bool:
        """Make the folder, or accept one of an earlier search; returns whether there was none.

        Raises:
            UserError: when other files are in it.
        """
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"`output` must be a folder. Received: {self.path}, a file")
        there = [name for name in os.listdir(self.path) if name != LOG] if self.path.exists() else []
        if there and SEARCH not in there:
            raise UserError(
                f"`output` must be a new or empty folder. Received: {self.path}, which has other files in it"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        return not there

    def discard(self) -> None:
        """Remove the folder again, if there is no more in it than the log."""
        if set(os.listdir(self.path)) <= {LOG}:
            shutil.rmtree(self.path)

    def claim(self, description: dict, overwrite: bool) -> Path:
        """Write what this search is, or compare it with what stands there; returns KerasTuner's project folder.

        Args:
            description: from `describe_search`.
            overwrite: remove what stands there.
        Raises:
            UserError: when another search stands there, with the differences.
        """
        project = self.path / f"search-{search_hash(description)}"
        if overwrite:
            self._clear()
        changed = difference(self._read_search(project, description), description)
        if changed:
            there = f"{self.path} holds another search ({'; '.join(changed[:3])})"
            raise UserError(f"{there}; choose another `output`, or `overwrite=True`")
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
            return dict(read_json(self / SEARCH))
        except (ValueError, TypeError):
            if project.is_dir():  # its name is the hash of the same search
                return description
            raise UserError(
                f"{self / SEARCH} is damaged; `overwrite=True` starts over, or choose another `output`"
            ) from None

    def result(self, trial: str, config: Config) -> TrialResult | None:
        """Return what a trial gave; None when its run directory is unfinished, of another configuration, or damaged."""
        run = self.run(trial)
        try:
            if not run.finished or difference(read_json(run / CONFIG), to_dict(config)):
                return None
            summary, value = read_json(run / SUMMARY), read_json(run / METRICS)["val"]["auc"]["value"]
            return TrialResult(float(value), int(summary["best_epoch"]), float(summary["seconds"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def clear_unsound(self, trial: str, config: Config) -> None:
        """Remove the run directory of a trial, unless it is of this configuration, unfinished and readable."""
        run = self.run(trial)
        try:
            unfinished = read_json(run / STATUS)["state"] != "finished"
            if unfinished and not difference(read_json(run / CONFIG), to_dict(config)):
                return
        except (OSError, ValueError, KeyError, TypeError):
            logger.debug("trial %s has no run directory that can be read", trial)
        shutil.rmtree(run.path, ignore_errors=True)

    def take_snapshot(self, project: Path) -> None:
        """Copy KerasTuner's files into one, whole or not at all."""
        paths = sorted(project.rglob("*.json"))
        files = {path.relative_to(project).as_posix(): path.read_text(encoding="utf-8") for path in paths}
        write_json(self / SNAPSHOT, {"project": project.name, "sha256": _checksum(files), "files": files})

    def restore_snapshot(self, project: Path) -> None:
        """Put KerasTuner's files back to what they were after the last trial; without a sound copy remove them."""
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
            sound = snapshot["project"] == project.name and snapshot["sha256"] == _checksum(snapshot["files"])
        except (ValueError, KeyError, TypeError, AttributeError):
            sound = False
        if not sound:
            logger.warning("%s is damaged: the search is drawn again, and finished trials are read", self / SNAPSHOT)
            return {}
        return snapshot["files"]


def _checksum(files: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
