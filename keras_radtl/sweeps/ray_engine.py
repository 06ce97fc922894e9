"""Execute a sweep on the machines of a Ray cluster: one task per run, whose files are sent back to the sweep's folder.

Only the data and the weight files must be the same on all machines. A run is trained in a temporary folder of the
machine that executes it, and its directory is sent back as a whole, so that the folder of the sweep holds complete runs
only. Ray repeats a run whose worker dies. Each machine has its own store of activations.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from keras_radtl.config import UserError, to_dict
from keras_radtl.runs.directory import RunDirectory
from keras_radtl.runs.interrupt import StopRequest
from keras_radtl.sweeps.folder import SweepFolder, SweepOptions
from keras_radtl.sweeps.run_list import RunSpec, from_json, to_json
from keras_radtl.sweeps.speed import try_speed
from keras_radtl.system.child_process import python_path

RETRIES = 3  # of a run whose worker died
_POLL_SECONDS = 0.5
_workers: dict = {}  # one per Ray process, with the dataset of its last run


def run_ray(
    folder: SweepFolder,
    runs: list[RunSpec],
    options: SweepOptions,
    ended: Callable[[str], None],
    measured: Callable,
    address: str | None = None,
) -> None:
    """Execute runs on a Ray cluster.

    Args:
        folder: Folder of the sweep.
        runs: Unfinished runs, in order.
        options: How runs are executed.
        ended: Called with the name of each run that finished or failed.
        measured: Called before the first run with the `Speed` of this machine, or with the reason why it is unknown.
            The machines of a cluster work in parallel.
        address: Address of a running cluster whose machines have this package; None: one is started on this machine.
    Raises:
        UserError: If Ray is not installed or the cluster does not answer.
        Stopped: After Ctrl-C or SIGTERM.
    """
    ray = _connect(address)
    measured(try_speed(runs, options.module))
    task = ray.remote(num_cpus=1, max_retries=RETRIES, max_calls=options.per_process)(_execute)
    try:
        with StopRequest() as stop:
            waiting = {task.remote(to_json([run])[0], asdict(options)): run.name for run in runs}
            while waiting:
                stop.check("while runs were in progress")
                done, _ = ray.wait(list(waiting), timeout=_POLL_SECONDS)
                for reference in done:
                    name = waiting.pop(reference)
                    _take(ray, reference, name, folder)
                    ended(name)
    finally:
        if address is None:
            ray.shutdown()


def _connect(address: str | None):
    try:
        import ray
    except ImportError:
        raise UserError("`engine='ray'` needs Ray: pip install 'keras_radtl[ray]'") from None
    if not ray.is_initialized():
        os.environ["PYTHONPATH"] = python_path()  # for the processes of a cluster that is started here
        try:
            ray.init(
                address=address,
                log_to_driver=False,
                logging_level=logging.ERROR,
                include_dashboard=False if address is None else None,
            )
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UserError(f"No Ray cluster at {address}: {' '.join(str(error).split())[:200]}") from None
    return ray


def _take(ray, reference, name: str, folder: SweepFolder) -> None:
    """Move the files of a run to the folder of the sweep, or record why it failed."""
    started = time.monotonic()
    try:
        error, seconds, files = ray.get(reference)
    except ray.exceptions.RayError as problem:
        error, seconds, files = f"{type(problem).__name__}: {problem}"[:300], time.monotonic() - started, {}
    if error is not None:
        folder.set_failure(name, error, seconds)
        return
    folder.receive(name, files)
    folder.clear_failure(name)


def _execute(item: dict, options: dict) -> tuple[str | None, float, dict[str, bytes]]:
    """Execute one run in a Ray process; returns the reason if it failed, its seconds and its files by relative path."""
    from keras_radtl.sweeps.worker import SweepWorker
    from keras_radtl.training.worker import DONE, train_task

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    started, settings = time.monotonic(), SweepOptions(**options)
    if "worker" not in _workers:
        _workers["cache"] = tempfile.TemporaryDirectory(prefix="keras_radtl-")
        _workers["worker"] = SweepWorker(Path(_workers["cache"].name), settings.module)
    (run,) = from_json([item])  # after the list of runs was loaded, which may add backbones
    with tempfile.TemporaryDirectory(prefix="keras_radtl-run-") as place:
        output = RunDirectory(Path(place) / run.name).path
        answer = _workers["worker"].answer(train_task(run.name, to_dict(run.config), settings.run_options(output)))
        if answer.outcome != DONE:
            return answer.text, time.monotonic() - started, {}
        paths = [path for path in sorted(output.rglob("*")) if path.is_file()]
        return None, time.monotonic() - started, {str(path.relative_to(output)): path.read_bytes() for path in paths}
