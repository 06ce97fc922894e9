"""Search: a configuration and a space go in, a folder of trials and the best configuration come out.

Trials are compared by their validation AUC. Test cases are neither predicted nor judged in a search, so that the best
configuration, trained by `fit`, meets them for the first time.
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
from keras_radtl.reproducibility import import_tensorflow
from keras_radtl.runs.files import locked, write_text_atomic
from keras_radtl.runs.interrupt import StopRequest
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
        folder: of the search.
        rows: its trials.
        keys: configuration keys that were searched.
        problem: why the result is not complete; empty when it is.
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
        """The configuration of the best trial, which `train` repeats to the same result; None without one.

        It was chosen by its validation AUC, which is therefore optimistic. The test cases have not been used.
        """
        file = self.folder / BEST
        return from_dict(Config, load_values(file)) if file.is_file() else None

    def __repr__(self) -> str:
        best = rank(list(self.rows))
        shown = f", best validation AUC {best[0].val_auc:.4f}" if best else ""
        return f"<SearchResult: {len(self.rows)} trials{shown}; folder {str(self.folder)!r}>"

    def _repr_html_(self) -> str:
        from html import escape

        return f"<p>{escape(repr(self))}</p>{self.table.to_html(index=False, max_rows=60)}"


@dataclass
class _Search:
    """A search while it runs: trains trials, keeps the table, tells how it goes."""

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
        """Train a trial, or read what it gave when it is finished; returns its validation AUC."""
        result, started = self.folder.result(trial, config), time.monotonic()
        if result is None:
            if trial in self.tried:
                shutil.rmtree(self.folder.run(trial).path, ignore_errors=True)
            self.folder.clear_unsound(trial, config)
            self.tried.add(trial)
            self.process.train(config, self.folder.run(trial).path, self.options)
            result = self.folder.result(trial, config)
            if result is None:
                raise TrialFailed("training gave no validation AUC")
            self.measured.append((config.training.epochs, time.monotonic() - started))
        if not math.isfinite(result.val_auc):
            raise TrialFailed(f"the validation AUC is {result.val_auc}")
        return result.val_auc

    def ended(self, tuner, trial: str, goes_on: bool) -> None:
        """Write what is known after a trial, and tell it."""
        if goes_on:
            self.folder.take_snapshot(Path(tuner.project_dir))
        self.write(tuner)
        row = self.rows[trial]
        done = sum(row.status in ("completed", "failed") for row in self.rows.values())
        text = f"val AUC {row.val_auc:.4f}" if row.val_auc is not None else f"{row.status}: {row.error}"
        best = rank(list(self.rows.values()))
        shown = f", best {best[0].val_auc:.4f}" if best else ""
        place = f"trial {trial}, {done} of {self.settings.total_trials}"
        logger.info("%s: %d epochs, %s%s%s", place, row.epochs, text, shown, self._left())

    def write(self, tuner) -> None:
        """Write the table and the best configuration so far, and remove models that are not among the best."""
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
        details = (result.best_epoch, result.seconds) if result is not None else (None, None)
        return replace(row, val_auc=trial.score, best_epoch=details[0], seconds=details[1])

    def _left(self) -> str:
        """Return the time left: trials take a constant and a time an epoch, both from the trials trained here."""
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
    """Search a space, or go on with a search of the same configuration, space, settings and data in `output`.

    Args:
        config: what is not searched; its epochs are those that the search gives.
        space: from `read_space`.
        settings: of the search.
        output: folder of the search.
        overwrite: remove another search that stands there.
        options: further fields of the `RunOptions` of each trial, such as `reuse`.
    Raises:
        UserError: for anything that no trial could do; before the first trial where it can be known.
        Stopped: after Ctrl-C or SIGTERM; the current trial goes on from its last checkpoint next time.
    """
    _require_searchable(config, space, settings)
    options = {"checkpoint_seconds": 60.0, "save_model": settings.keep > 0, **(options or {})}
    folder = SearchFolder(output)
    with locked(output), StopRequest() as stop:
        new = folder.prepare()
        with TrialProcess(folder / LOG, stop) as process:
            search = _Search(config, space, settings, folder, process, options)
            process.start()
            import_tensorflow()  # while the child does so too
            try:
                project = _claim(search, overwrite)
            except BaseException:
                folder.discard()
                raise
            what = "new search" if new or overwrite else "going on with the search that stands there"
            logger.info("%s; what trials tell is in %s", what, folder / LOG)
            return _run(search, project)


def _require_searchable(config: Config, space: Space, settings: TunerSettings) -> None:
    folds, epochs = config.split.folds, config.training.phase_epochs
    require(folds is None, "split.folds", "None in a search: test cases of one fold would validate another", folds)
    require(not epochs, "training.phase_epochs", "empty, since the search decides the epochs", epochs)
    settings.require_room(space.combinations)
    foreign = [name for name in os.environ if name.startswith("KERASTUNER_")]
    require(not foreign, "environment", "without KerasTuner's variables, since a search is one process", foreign)
    if find_spec("keras_tuner") is None:
        raise UserError("Searches need KerasTuner: pip install 'keras_radtl[tune]'")


def _claim(search: _Search, overwrite: bool) -> Path:
    """Check data, models and disk, tell what will be done, and return the folder of the KerasTuner project."""
    config, space, settings, folder = search.config, search.space, search.settings, search.folder
    try:
        facts = search.process.rehearse([apply(config, chosen, settings.shortest) for chosen in space.corners()])
    except TrialFailed as error:
        raise UserError(f"The models of this space could not be built: {error}") from None
    trials = settings.total_trials
    needed = search_disk_bytes(facts["weights"], facts["trainable"], facts["cases"], trials, settings.keep)
    free = shutil.disk_usage(folder.path).free
    room = f"{needed / 1e9:.2f} GB in {folder.path}"
    if needed > free:
        raise UserError(
            f"The search may need {room}, and {free / 1e9:.2f} GB are free; lower `keep` or the number of trials"
        )
    project = folder.claim(describe_search(config, space, settings, facts["data_sha256"]), overwrite)
    logger.info("%s: %d trials, %d epochs in all, at most %s", settings.algorithm, trials, settings.total_epochs, room)
    return project


@contextlib.contextmanager
def _quiet():
    """Silence KerasTuner, which prints, and warns of its own code."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _run(search: _Search, project: Path) -> SearchResult:
    search.folder.restore_snapshot(project)
    problem = ""
    with _quiet():
        from keras_radtl.search.oracles import make_oracle
        from keras_radtl.search.tuner import SearchEnded, TooManyFailures, TrialTuner

        oracle = make_oracle(search.space, search.settings, search.config.seed)
        place = {"directory": str(search.folder.path), "project_name": project.name}
        tuner = TrialTuner(oracle, search.space, search.config, search.settings, search.train, search.ended, **place)
        tuner.save()  # a kill in the first trial finds files to go on from
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
    """Say what a search lacks: without a trial of all epochs it has no result."""
    if any(row.epochs == settings.max_epochs for row in rank(rows)):
        return ""
    failed = failures(rows)
    reason = f"the space held only {len(rows)} different trials"
    if failed:
        reason = f"{len(failed)} of {len(rows)} trials failed"
    return f"no trial of {settings.max_epochs} epochs was completed, since {reason}"
