"""Execute a sweep: select the unfinished runs, estimate disk space and time, and keep the table up to date."""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Callable, Sequence
from functools import cache

from keras_radtl.config import DataConfig, UserError
from keras_radtl.runs.files import remove_temporary
from keras_radtl.runs.lock import locked
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
    """Return in one line the disk space that runs need; reads the case table of every dataset.

    Args:
        runs: Unfinished runs.
        options: How they are executed.
        folder: Folder of the sweep.
    Raises:
        UserError: If a dataset cannot be read, or the disk has too little space for the run directories.
    """
    sizes = [disk_bytes(there, cases, options.save_models) for there, cases in _by_data(runs)]
    features, folders = (sum(column) for column in zip(*sizes, strict=True))
    there = next(parent for parent in (folder.path.absolute(), *folder.path.absolute().parents) if parent.exists())
    free = shutil.disk_usage(there).free
    if folders > free:
        raise UserError(
            f"The runs would take {folders / 1e9:.1f} GB and {free / 1e9:.1f} GB are free; see `save_models`"
        )
    store = (
        f"activations {features / 1e9:.2f} GB of at most {options.feature_cache_size:g} GB, " if options.reuse else ""
    )
    return f"disk: {store}run folders {folders / 1e9:.2f} GB, {free / 1e9:.0f} GB free"


def describe_time(runs: Sequence[RunSpec], options: SweepOptions, speed: Speed | str) -> str:
    """Return in one line the time that runs need on this machine.

    Args:
        runs: Unfinished runs.
        options: How they are executed.
        speed: Speed of this machine, or the reason why it is unknown.
    """
    if isinstance(speed, str):
        return f"time unknown: {speed}"
    parts = _by_data(runs)
    seconds = sum(
        run_seconds(order_runs(listed), cases, speed, options.reuse, options.per_process, options.figures)
        for listed, cases in parts
    )
    return f"about {clock(seconds)} on this machine"


def _by_data(runs: Sequence[RunSpec]) -> list[tuple[list[RunSpec], int]]:
    """Return the runs of each dataset with its number of cases."""
    every = {run.config.data for run in runs}
    return [([run for run in runs if run.config.data == data], _count_cases(data)) for data in every]


@cache
def _count_cases(data: DataConfig) -> int:
    from keras_radtl.data.sources import read_table

    return len(read_table(data))


def execute_sweep(
    runs: Sequence[RunSpec], skipped: dict[str, str], folder: SweepFolder, options: SweepOptions, engine: Engine
) -> Results:
    """Execute every unfinished run and return the table of all runs.

    Args:
        runs: All runs of the list.
        skipped: Reason of each skipped run, by name.
        folder: Folder of the sweep; runs that are finished there are not repeated.
        options: How runs are executed.
        engine: Function that executes runs.
    Raises:
        Stopped: After Ctrl-C or SIGTERM.
        UserError: If the folder contains other runs, or another process uses it.
    """
    folder.path.mkdir(parents=True, exist_ok=True)
    with locked(folder.path):
        folder.check(runs)
        remove_temporary(folder.path)
        results = Results(folder, runs, skipped)
        done = {row["name"] for row in results.with_status(FINISHED)}
        left = order_runs([run for run in runs if run.name not in done and run.name not in skipped])
        for run in left:
            folder.clear_failure(run.name)
        results = Results(folder, runs, skipped)
        results.write()
        if left:
            logger.info(
                "runs: %d, %d finished before, %d skipped, %d to do", len(runs), len(done), len(skipped), len(left)
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
            progress.write_line(
                f"[{progress.done}/{total}] {name}  {_outcome(row)}  {watch.last:.1f} s  left {clock(watch.left())}"
            )

        def measured(speed: Speed | str) -> None:
            watch.start()  # of the first run
            runs = "1 run" if total == 1 else f"{total} runs"
            progress.write_line(f"{runs}: {describe_time(left, options, speed)}")

        engine(folder, left, options, ended, measured)


def _outcome(row: dict) -> str:
    if row["status"] != FINISHED:
        return f"{row['status']}: {row.get('error', '')}"
    mark = "  diverged" * bool(row.get("diverged"))
    return f"AUC val {_three(row.get('val_auc'))} test {_three(row.get('test_auc'))}{mark}"


def _three(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
