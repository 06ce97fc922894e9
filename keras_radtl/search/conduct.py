"""Conduct a sweep: what is there already, what is left, how long it takes, and what came out at the end."""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Callable, Sequence

from keras_radtl.config import UserError
from keras_radtl.runs.directory import locked
from keras_radtl.runs.progress import Progress, clock
from keras_radtl.search.estimate import Clock, disk_bytes, run_seconds
from keras_radtl.search.folder import Options, SweepFolder
from keras_radtl.search.grid import Run, order_runs
from keras_radtl.search.speed import measure_speed
from keras_radtl.search.table import FINISHED, Results

logger = logging.getLogger(__name__)
Engine = Callable[[SweepFolder, list[Run], Options, Callable[[str], None]], None]


def estimate_sweep(runs: Sequence[Run], options: Options, folder: SweepFolder, per_process: int) -> str:
    """Return in one line what runs need on disk, and in time on this machine; reads every list of cases.

    Args:
        runs: not yet finished.
        options: how they are done.
        folder: of the sweep.
        per_process: runs by one process.
    Raises:
        UserError: when a data set cannot be used, or the disk has no room for the run directories.
    """
    from keras_radtl.data.sources import read_table

    if not runs:
        return "nothing to do"
    by_data = {data: [run for run in runs if run.config.data == data] for data in {run.config.data for run in runs}}
    parts = [(there, len(read_table(data))) for data, there in by_data.items()]
    sizes = [disk_bytes(there, cases, options.save_models) for there, cases in parts]
    features, folders = (sum(column) for column in zip(*sizes, strict=True))
    there = next(parent for parent in (folder.path.absolute(), *folder.path.absolute().parents) if parent.exists())
    free = shutil.disk_usage(there).free
    if folders > free:
        raise UserError(
            f"The runs would take {folders / 1e9:.1f} GB and {free / 1e9:.1f} GB are free; see --save-models"
        )
    try:
        speed = measure_speed((run.config for run in runs), options.module)
        seconds = sum(run_seconds(order_runs(t), cases, speed, options.reuse, per_process) for t, cases in parts)
        duration = f"about {clock(seconds)} on this machine"
    except UserError as error:  # one impossible run must not stop the others; it will fail by name
        duration = f"time not known: {error}"
    store = f"activations {features / 1e9:.2f} GB of at most {options.feature_cache_gb:g} GB, " if options.reuse else ""
    return (
        f"{duration}; disk: {store}run folders {folders / 1e9:.2f} GB, "
        f"{free / 1e9:.0f} GB free"
    )


def conduct(
    runs: Sequence[Run], skipped: dict[str, str], folder: SweepFolder, options: Options, engine: Engine
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


def _execute(left: list[Run], results: Results, folder: SweepFolder, options: Options, engine: Engine) -> None:
    watch, total = Clock(left), len(left)
    with Progress("runs", total, interval=math.inf) as progress:

        def ended(name: str) -> None:
            row = results.update(name)
            watch.done(name)
            progress.advance()
            progress.say(
                f"[{progress.done}/{total}] {name}  {_outcome(row)}  {watch.last:.1f} s  left {clock(watch.left())}"
            )

        engine(folder, left, options, ended)


def _outcome(row: dict) -> str:
    if row["status"] != FINISHED:
        return f"{row['status']}: {row.get('error', '')}"
    return f"AUC val {_three(row.get('val_auc'))} test {_three(row.get('test_auc'))}"


def _three(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
