"""Drive a sweep on the machines of a Ray cluster: one task a run, whose files come back to the folder of the sweep.

Nothing but the data and weight files need be the same on all machines: a run is done in a temporary folder where it
lands and its directory is sent back whole, so that a run is in the folder finished or not at all. A run whose worker
dies is done again by Ray. Each machine keeps its own store of activations.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from keras_radtl.config import UserError
from keras_radtl.runs.directory import RunDirectory
from keras_radtl.runs.interrupt import StopRequest
from keras_radtl.sweeps.folder import SweepFolder, SweepOptions
from keras_radtl.sweeps.run_list import RunSpec, from_json, to_json
from keras_radtl.sweeps.speed import try_speed

RETRIES = 3  # of a run whose worker died
_POLL_SECONDS = 0.5
_PACKAGES = str(Path(__file__).parents[2])
_workers: dict = {}  # one in each process of Ray, with the data set of its last run


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
        folder: of the sweep.
        runs: what is left to do, in order.
        options: how runs are done.
        ended: called with the name of each run that finished or failed.
        measured: called before the first run with the `Speed` of this machine, or with one line why it is not
            known; the machines of a cluster work side by side.
        address: of a running cluster, whose machines have this package; None: one on this machine.
    Raises:
        UserError: when Ray is not installed or the cluster does not answer.
        Stopped: after Ctrl-C or SIGTERM.
    """
    ray = _connect(address)
    measured(try_speed(runs, options.module))
    task = ray.remote(num_cpus=1, max_retries=RETRIES, max_calls=options.per_process)(_execute)
    try:
        with StopRequest() as stop:
            waiting = {task.remote(to_json([run])[0], asdict(options)): run.name for run in runs}
            while waiting:
                stop.check("while runs were out")
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
        raise UserError("--engine ray needs the extra of that name: pip install 'keras_radtl[ray]'") from None
    if not ray.is_initialized():
        paths = [_PACKAGES, *filter(None, [os.environ.get("PYTHONPATH")])]
        os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))  # for the processes of a cluster started here
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
    """Put the files of a run in their place, or note why it failed."""
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
    """Execute one run in a process of Ray; returns why it failed, its seconds and its files by relative path."""
    from keras_radtl.sweeps.worker import Worker

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    started = time.monotonic()
    if "worker" not in _workers:
        _workers["cache"] = tempfile.TemporaryDirectory(prefix="keras_radtl-")
        _workers["worker"] = Worker(SweepOptions(**options), Path(_workers["cache"].name))
    (run,) = from_json([item])
    with tempfile.TemporaryDirectory(prefix="keras_radtl-run-") as place:
        output = RunDirectory(Path(place) / run.name)
        error = _workers["worker"].run(run, output.path)
        files = (
            {}
            if error
            else {
                str(p.relative_to(output.path)): p.read_bytes() for p in sorted(output.path.rglob("*")) if p.is_file()
            }
        )
    return error, time.monotonic() - started, files
