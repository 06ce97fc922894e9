"""Hyperparameter search: train the trials of a space and write their table and the best configuration.

Trials are compared by their validation AUC. A search does not predict the test cases: they are used for the first time
when `fit` trains the best configuration.
"""

from __future__ import annotations

import contextlib
import io
import logging
import math
import os
import shutil
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from keras_radtl.config import Config, UserError, dumps, from_dict, load_values, require
from keras_radtl.data.sources import PHANTOMS
from keras_radtl.reproducibility import import_tensorflow
from keras_radtl.runs.files import write_text_atomic
from keras_radtl.runs.interrupt import StopRequest
from keras_radtl.runs.lock import locked
from keras_radtl.runs.progress import clock
from keras_radtl.search.folder import BEST, LOG, TABLE, TRIALS, SearchFolder, describe_search
from keras_radtl.search.settings import TunerSettings
from keras_radtl.search.space import Space, apply
from keras_radtl.search.trial_process import TrialFailed, TrialProcess
from keras_radtl.search.trials import TrialRow, failures, prune_models, rank, search_disk_bytes, write_trials

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)


@dataclass(frozen=True, repr=False)
class SearchResult:
    """The result of a search.

    Attributes:
        folder: The folder of the search.
        rows: The trials.
        keys: The searched configuration keys.
        problem: Why the result is incomplete; empty if it is complete.
    """

    folder: Path
    rows: tuple[TrialRow, ...]
    keys: tuple[str, ...]
    problem: str = ""

    @property
    def table(self) -> pd.DataFrame:
        """One row per trial, as in `trials.csv`: status, epochs, validation AUC and the searched values."""
        import pandas as pd

        return pd.read_csv(self.folder / TABLE, dtype={"trial": str})

    @property
    def best_config(self) -> Config | None:
        """The configuration of the best trial, which `train` reproduces; None if no trial was completed.

        It was selected by its validation AUC, which is therefore optimistic. The test cases have not been used.
        """
        file = self.folder / BEST
        return from_dict(Config, load_values(file)) if file.is_file() else None

    def __repr__(self) -> str:
        best = rank(list(self.rows))
        shown = f", best validation AUC {best[0].val_auc:.4f}" if best else ""
        trials = "1 trial" if len(self.rows) == 1 else f"{len(self.rows)} trials"
        return f"<SearchResult: {trials}{shown}; folder {str(self.folder)!r}>"

    def _repr_html_(self) -> str:
        from html import escape

        return f"<p>{escape(repr(self))}</p>{self.table.to_html(index=False, max_rows=60)}"


@dataclass
class _Search:
    """A search in progress: trains trials, updates the table and logs the progress."""

    config: Config
    space: Space
    settings: TunerSettings
    folder: SearchFolder
    process: TrialProcess
    options: Mapping
    rows: dict[str, TrialRow] = field(default_factory=dict)
    tried: set[str] = field(default_factory=set)
    measured: list[tuple[int, float]] = field(default_factory=list)

    def train(self, trial: str, config: Config) -> float:
        """Train a trial, or read the result of a finished one; returns its validation AUC."""
        result, started = self.folder.result(trial, config), time.monotonic()
        if result is None:
            if trial in self.tried:
                shutil.rmtree(self.folder.run(trial).path, ignore_errors=True)
            self.folder.remove_unusable(trial, config)
            self.tried.add(trial)
            self.process.train(config, self.folder.run(trial).path, self.options)
            result = self.folder.result(trial, config)
            if result is None:
                raise TrialFailed("the training has no validation AUC")
            self.measured.append((config.training.epochs, time.monotonic() - started))
        if not math.isfinite(result.val_auc):
            raise TrialFailed(f"the validation AUC is {result.val_auc}")
        return result.val_auc

    def ended(self, tuner, trial: str, resumable: bool) -> None:
        """Update the files of the search after a trial, and log its result."""
        if resumable:
            self.folder.take_snapshot(Path(tuner.project_dir))
        self.write(tuner)
        row = self.rows[trial]
        done = sum(row.status in ("completed", "failed") for row in self.rows.values())
        text = f"val AUC {row.val_auc:.4f}" if row.val_auc is not None else f"{row.status}: {row.error}"
        best = rank(list(self.rows.values()))
        shown = f", best {best[0].val_auc:.4f}" if best else ""
        place = f"trial {trial}, {done} of {self.settings.total_trials}"
        logger.info("%s: %s, %s%s%s", place, _epochs(row.epochs), text, shown, self._left())

    def write(self, tuner) -> None:
        """Write the table and the best configuration so far, and remove the models of other trials."""
        self.rows = {trial.trial_id: self._row(tuner, trial) for trial in tuner.oracle.trials.values()}
        rows = list(self.rows.values())
        write_trials(self.folder / TABLE, rows, self.space.keys)
        prune_models(self.folder / TRIALS, rows, self.settings.keep)
        for row in rank(rows)[:1]:
            write_text_atomic(self.folder / BEST, dumps(apply(self.config, row.values, row.epochs)))

    def _row(self, tuner, trial) -> TrialRow:
        hyperband = trial.hyperparameters.values
        row = TrialRow(
            trial.trial_id,
            trial.status.lower(),
            tuner.trial_epochs(trial),
            tuner.trial_values(trial),
            bracket=hyperband.get("tuner/bracket"),
            round=hyperband.get("tuner/round"),
            error=trial.message or "",
        )
        old = self.rows.get(trial.trial_id)
        if row.status != "completed":
            return row
        if old is not None and old.status == "completed":
            return old
        result = self.folder.result(trial.trial_id, tuner.trial_config(trial))
        row = replace(row, val_auc=trial.score)
        if result is None:
            return row
        return replace(row, best_epoch=result.best_epoch, seconds=result.seconds, diverged=result.diverged)

    def _left(self) -> str:
        """Return the remaining time: a constant per trial and a time per epoch, from the trials of this process."""
        if not self.measured:
            return ""
        ended = [row for row in self.rows.values() if row.status in ("completed", "failed")]
        epochs = max(self.settings.total_epochs - sum(row.epochs for row in ended), 0)
        trials = max(self.settings.total_trials - len(ended), 0)
        seconds = [seconds for _, seconds in self.measured]
        least = min(seconds)
        spent = sum(epochs for epochs, _ in self.measured)
        per_epoch = max(sum(seconds) - 0.5 * least * len(seconds), 0.0) / spent
        return f", left {clock(trials * 0.5 * least + epochs * per_epoch)}"


def tune(
    config: Config,
    space: Space,
    settings: TunerSettings,
    output: Path,
    overwrite: bool = False,
    options: Mapping | None = None,
) -> SearchResult:
    """Search a space, or resume a search with the same configuration, space, settings and data in `output`.

    Args:
        config: The configuration; searched values and epochs are replaced.
        space: From `read_space`.
        settings: Settings of the search.
        output: Folder of the search.
        overwrite: Replace another search in the folder.
        options: Further fields of the `RunOptions` of each trial, such as `reuse`.
    Returns:
        The result.
    Raises:
        UserError: If no trial can be trained; where possible, before the first trial.
        Stopped: After Ctrl-C or SIGTERM; the current trial resumes from its last checkpoint.
    """
    _require_searchable(config, space, settings)
    options = {"checkpoint_seconds": 60.0, "save_model": settings.keep > 0, **(options or {})}
    folder = SearchFolder(output)
    with locked(output), StopRequest() as stop:
        new = folder.prepare(overwrite)
        with TrialProcess(folder / LOG, stop) as process:
            search = _Search(config, space, settings, folder, process, options)
            process.start()
            import_tensorflow()  # at the same time as the child
            try:
                project = _claim(search, overwrite)
            except BaseException:
                folder.discard()
                raise
            action = "new search" if new or overwrite else "resuming the search"
            logger.info("%s in %s; log of the trials: %s", action, output, folder / LOG)
            return _run(search, project)


def _require_searchable(config: Config, space: Space, settings: TunerSettings) -> None:
    folds, epochs = config.split.folds, config.training.phase_epochs
    require(
        folds is None,
        "split.folds",
        "None in a search, since test cases of one fold are validation cases of another",
        folds,
    )
    require(not epochs, "training.phase_epochs", "empty, since the search determines the epochs", epochs)
    settings.require_combinations(space.combinations)
    if config.data.path != PHANTOMS and not os.path.exists(os.path.expanduser(config.data.path)):
        raise UserError(f"No such file or folder: {config.data.path!r}")
    foreign = [name for name in os.environ if name.startswith("KERASTUNER_")]
    require(not foreign, "environment", "without variables of KerasTuner, since a search is one process", foreign)
    if find_spec("keras_tuner") is None:
        raise UserError("Searches need KerasTuner: pip install 'keras_radtl[tune]'")


def _claim(search: _Search, overwrite: bool) -> Path:
    """Check data, models and disk space, log the plan, and return the folder of the KerasTuner project."""
    config, space, settings, folder = search.config, search.space, search.settings, search.folder
    try:
        facts = search.process.rehearse([apply(config, chosen, settings.shortest) for chosen in space.corners()])
    except TrialFailed as error:
        raise UserError(f"The models of this space could not be built: {error}") from None
    trials = settings.total_trials
    needed = search_disk_bytes(facts["weights"], facts["trainable"], facts["cases"], trials, settings.keep)
    free = shutil.disk_usage(folder.path).free
    space_text = f"{needed / 1e9:.2f} GB in {folder.path}"
    if needed > free:
        raise UserError(
            f"The search may need {space_text}, but {free / 1e9:.2f} GB are free; lower `keep` or the number of trials"
        )
    project = folder.claim(describe_search(config, space, settings, facts["data_sha256"]), overwrite)
    total = f"{trials} {'trial' if trials == 1 else 'trials'}, {_epochs(settings.total_epochs)}"
    logger.info("%s: %s in total, at most %s", settings.algorithm, total, space_text)
    return project


@contextlib.contextmanager
def _quiet():
    """Suppress what KerasTuner prints, and its warnings."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _run(search: _Search, project: Path) -> SearchResult:
    search.folder.restore_snapshot(project)
    problem = ""
    with _quiet():
        from keras_radtl.search.oracles import SearchEnded, make_oracle
        from keras_radtl.search.tuner import TooManyFailures, TrialTuner

        oracle = make_oracle(search.space, search.settings, search.config.seed)
        place = {"directory": str(search.folder.path), "project_name": project.name}
        tuner = TrialTuner(oracle, search.space, search.config, search.settings, search.train, search.ended, **place)
        tuner.save()  # so that a search that is killed in its first trial can resume
        search.folder.take_snapshot(project)
        search.write(tuner)
        try:
            tuner.search(verbose=0)
        except SearchEnded as ended:
            if not isinstance(ended.__cause__, TooManyFailures):
                raise ended.__cause__ from None
            problem = str(ended)
    rows = list(search.rows.values())
    keys = tuple(search.space.keys)
    return SearchResult(search.folder.path, tuple(rows), keys, problem or _shortfall(search.settings, rows))


def _shortfall(settings: TunerSettings, rows: list[TrialRow]) -> str:
    """Return why a search has no result; empty if a trial of full length was completed."""
    if any(row.epochs == settings.max_epochs for row in rank(rows)):
        return ""
    failed = failures(rows)
    reason = f"the space has only {len(rows)} different combinations"
    if failed:
        reason = f"{len(failed)} of {len(rows)} trials failed"
    return f"no trial of {_epochs(settings.max_epochs)} was completed, since {reason}"


def _epochs(count: int) -> str:
    return "1 epoch" if count == 1 else f"{count} epochs"
