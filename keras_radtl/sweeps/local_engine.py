"""Execute a sweep on this machine: a worker process trains one run after another.

A run whose process dies is tried once more in a process of its own. If that dies too, the run counts as failed and the
sweep continues.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from keras_radtl.config import UserError, to_dict
from keras_radtl.runs.interrupt import StopRequest
from keras_radtl.sweeps.folder import SweepFolder, SweepOptions
from keras_radtl.sweeps.run_list import RunSpec, cut_batches
from keras_radtl.sweeps.speed import Speed, make_speed, questions
from keras_radtl.sweeps.worker import measure_task
from keras_radtl.training.worker import DIED, DONE, Answer, train_task
from keras_radtl.training.worker_process import WorkerProcess

WORKER = ("-m", "keras_radtl.sweeps.worker")
logger = logging.getLogger(__name__)


def run_local(
    folder: SweepFolder, runs: list[RunSpec], options: SweepOptions, ended: Callable[[str], None], measured: Callable
) -> None:
    """Execute runs on this machine.

    Args:
        folder: Folder of the sweep.
        runs: Unfinished runs, in order.
        options: How runs are executed.
        ended: Called with the name of each run that finished or failed.
        measured: Called before the first run with a `Speed`, or with the reason why it is unknown.
    Raises:
        Stopped: After Ctrl-C or SIGTERM; the current run resumes from its last checkpoint next time.
        UserError: If the disk is full.
    """
    with StopRequest() as stop, WorkerProcess((*WORKER, options.module), folder.log, stop) as worker:
        measured(_measure(worker, runs))
        for start, count in cut_batches(runs, options.per_process):
            for run in runs[start : start + count]:
                _execute(run, worker, folder, options)
                ended(run.name)
                stop.check("between two runs")
            worker.end()


def _measure(worker: WorkerProcess, runs: Sequence[RunSpec]) -> Speed | str:
    try:
        asked = questions(run.config for run in runs)
    except UserError as error:  # one impossible run does not stop the others; it fails by name
        return str(error)
    answer = worker.ask(measure_task(runs[0].config, asked))
    if answer.outcome != DONE:
        return answer.text
    return replace(make_speed(answer.result, worker.started), running=1)  # this process trains the first runs


def _execute(run: RunSpec, worker: WorkerProcess, folder: SweepFolder, options: SweepOptions) -> None:
    """Train one run and record in the folder whether it failed."""
    started = time.monotonic()
    answer = _train(run, worker, folder, options)
    if answer.outcome == DONE:
        folder.clear_failure(run.name)
    else:
        folder.set_failure(run.name, answer.text, time.monotonic() - started)


def _train(run: RunSpec, worker: WorkerProcess, folder: SweepFolder, options: SweepOptions) -> Answer:
    """Train one run; when its process dies, train it once more in a process that does nothing else."""
    task = train_task(run.name, to_dict(run.config), options.run_options(folder.run(run.name).path))
    answer = worker.ask(task)
    if answer.outcome != DIED:
        return answer
    logger.warning("run %s is tried once more: %s", run.name, answer.text)
    answer = worker.ask(task)
    worker.end()
    if answer.outcome != DIED:
        return answer
    return Answer(DIED, f"{answer.text}, at the second try too; see {folder.log.name}")
