"""Conduct a sweep: what is there already, what is left, how long it takes, and what came out at the end."""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Callable, Sequence
from functools import cache

from keras_radtl.config import DataConfig, UserError
from keras_radtl.runs.files import locked
from keras_radtl.runs.progress import Progress, clock
from keras_radtl.sweeps.estimate import TimeLeft, disk_bytes, run_seconds
from keras_radtl.sweeps.folder import SweepFolder, SweepOptions
from keras_radtl.sweeps.results import FINISHED, Results
from keras_radtl.sweeps.run_list import RunSpec, order_runs
from keras_radtl.sweeps.speed import Speed

logger = logging.getLogger(__name__)
Engine = Callable[
    [SweepFolder, list[RunSpec], SweepOptions, Callable[[str], None], Callable[[Speed | str], None]], None
]


def describe_disk(runs: Sequence[RunSpec], options: SweepOptions, folder: SweepFolder) -> str:
    """Return in one line what runs need on disk; reads every list of cases.

    Args:
        runs: not yet finished.
        options: how they are done.
        folder: of the sweep.
    Raises:
        UserError: when a data set cannot be used, or the disk has no room for the run directories.
    """
    sizes = [disk_bytes(there, cases, options.save_models) for there, cases in _by_data(runs)]
    features, folders = (sum(column) for column in zip(*sizes, strict=True))
    there = next(parent for parent in (folder.path.absolute(), *folder.path.absolute().parents) if parent.exists())
    free = shutil.disk_usage(there).free
    if folders > free:
        raise UserError(
            f"The runs would take {folders / 1e9:.1f} GB and {free / 1e9:.1f} GB are free; see --save-models"
        )
    store = f"activations {features / 1e9:.2f} GB of at most {options.feature_cache_gb:g} GB, " if options.reuse else ""
    return f"disk: {store}run folders {folders / 1e9:.2f} GB, {free / 1e9:.0f} GB free"


def describe_time(runs: Sequence[RunSpec], options: SweepOptions, speed: Speed | str) -> str:
    """Return in one line how long runs will take on this machine.

    Args:
        runs: not yet finished.
        options: how they are done.
        speed: measured here, or why it is not known.
    """
    if isinstance(speed, str):
        return f"time not known: {speed}"
    parts = _by_data(runs)
    seconds = sum(run_seconds(order_runs(t), cases, speed, options.reuse, options.per_process) for t, cases in parts)
    return f"about {clock(seconds)} on this machine"


def _by_data(runs: Sequence[RunSpec]) -> list[tuple[list[RunSpec], int]]:
    """Return the runs of each data set with its number of cases."""
    every = {run.config.data for run in runs}
    return [([run for run in runs if run.config.data == data], _count_cases(data)) for data in every]


@cache
def _count_cases(data: DataConfig) -> int:
    from keras_radtl.data.sources import read_table

    return len(read_table(data))


def execute_sweep(
    runs: Sequence[RunSpec], skipped: dict[str, str], folder: SweepFolder, options: SweepOptions, engine: Engine
) -> Results:
    """Execute every run that is not finished yet and return the table of all.

    Args:
        runs: the whole list.
        skipped: reason by name of runs to leave out.
        folder: of the sweep; runs that it holds are not repeated.
        options: how runs are done.
        engine: executes the plan of the folder.
    Raises:
        Stopped: after Ctrl-C or SIGTERM.
        UserError: when the folder holds other runs, or another process works on it.
    """
    folder.path.mkdir(parents=True, exist_ok=True)
    with locked(folder.path):
        folder.check(runs)
        results = Results(folder, runs, skipped)
        done = {row["name"] for row in results.with_status(FINISHED)}
        left = order_runs([run for run in runs if run.name not in done and run.name not in skipped])
        for run in left:
            folder.clear_failure(run.name)
        results = Results(folder, runs, skipped)
        results.write()
        if left:
            logger.info(
                "runs: %d, %d finished before, %d left out, %d to do", len(runs), len(done), len(skipped), len(left)
            )
            folder.write_plan(left, options)
            _execute(left, results, folder, options, engine)
    return results


def _execute(left: list[RunSpec], results: Results, folder: SweepFolder, options: SweepOptions, engine: Engine) -> None:
    watch, total = TimeLeft(left), len(left)
    with Progress("runs", total, interval=math.inf) as progress:

        def ended(name: str) -> None:
            row = results.update(name)
            watch.done(name)
            progress.advance()
            progress.say(
                f"[{progress.done}/{total}] {name}  {_outcome(row)}  {watch.last:.1f} s  left {clock(watch.left())}"
            )

        def measured(speed: Speed | str) -> None:
            progress.say(f"{total} runs: {describe_time(left, options, speed)}")

        engine(folder, left, options, ended, measured)


def _outcome(row: dict) -> str:
    if row["status"] != FINISHED:
        return f"{row['status']}: {row.get('error', '')}"
    return f"AUC val {_three(row.get('val_auc'))} test {_three(row.get('test_auc'))}"


def _three(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
