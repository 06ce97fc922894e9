"""Drive a sweep: child processes execute batches of runs one after the other, and every end of a run is told.

A child executes only some runs, so that what TensorFlow does not give back goes with the process. A run whose process
dies is tried once more alone; then it counts as failed and the sweep goes on.
"""

from __future__ import annotations

import json
import logging
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from keras_radtl.config import UserError
from keras_radtl.runs.interrupt import StopRequest
from keras_radtl.sweeps.folder import SweepFolder, SweepOptions
from keras_radtl.sweeps.run_list import RunSpec, cut_batches
from keras_radtl.sweeps.speed import told_speed
from keras_radtl.sweeps.worker import FULL_DISK

_PACKAGES = Path(__file__).parents[2]
_POLL_SECONDS = 0.5
_ALLOCATOR = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}  # gradients of large heads: fewer page faults, the same bits
logger = logging.getLogger(__name__)


def run_local(
    folder: SweepFolder, runs: list[RunSpec], options: SweepOptions, ended: Callable[[str], None], measured: Callable
) -> None:
    """Execute the plan of a folder on this machine.

    Args:
        folder: of the sweep, with its plan written.
        runs: the runs of the plan.
        options: stand in the plan too, where the workers read them.
        ended: called with the name of each run that finished or failed.
        measured: called before the first run with a `Speed`, or with one line why it is not known.
    Raises:
        Stopped: after Ctrl-C or SIGTERM; the current run goes on from its last checkpoint next time.
        UserError: when the disk is full.
    """
    names = [run.name for run in runs]
    died: set[str] = set()
    with StopRequest() as stop:
        for start, count in cut_batches(runs, options.per_process):
            last = start + count
            while start < last:
                batch = _Batch(folder, start, (1 if names[start] in died else last - start), stop, ended, measured)
                code = batch.wait()
                stop.check("between two runs")
                start += batch.done
                if code == FULL_DISK:
                    raise UserError(
                        f"{batch.problem}. What was written before is intact; the same command goes on from there"
                    )
                if (code or not batch.done) and start < last:
                    _judge(folder, names[start], code, died, ended)
                    start += names[start] not in died


def _judge(folder: SweepFolder, name: str, code: int, died: set[str], ended: Callable[[str], None]) -> None:
    """Note that a process died in a run: the first time the run is tried again, the second time it has failed."""
    reason = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    hint = ", perhaps for want of memory" if code == -signal.SIGKILL else ""
    if name not in died:
        died.add(name)
        logger.warning("the process of run %s ended (%s%s); it is tried once more", name, reason, hint)
        return
    died.remove(name)
    folder.set_failure(name, f"its process ended twice ({reason}{hint}); see {folder.log.name}", 0.0)
    ended(name)


class _Batch:
    """One child process.

    Attributes:
        done: runs that it ended.
        problem: what stopped it, when it told.
    """

    def __init__(self, folder: SweepFolder, start: int, count: int, stop: StopRequest, ended, measured):
        self.stop, self.ended, self.measured, self.done, self.problem = stop, ended, measured, 0, ""
        self._started = time.perf_counter()
        paths = [str(_PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])]
        with open(folder.log, "ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "keras_radtl.sweeps.worker", str(folder.path.resolve()), str(start), str(count)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**_ALLOCATOR, **os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                start_new_session=True,  # Ctrl-C reaches this process alone, which passes it on
            )

    def wait(self) -> int:
        """Pass on what the child tells until it ends; returns its exit code, negative for a signal."""
        try:
            self._listen()
            return self._process.wait()
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            self._process.stdin.close()
            self._process.stdout.close()

    def _listen(self) -> None:
        buffer, told = b"", False
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while True:
                if self.stop.code and not told:
                    self._process.send_signal(signal.SIGTERM)
                    told = True
                if not selector.select(_POLL_SECONDS):
                    continue
                chunk = os.read(self._process.stdout.fileno(), 65536)
                if not chunk:
                    return
                *lines, buffer = (buffer + chunk).split(b"\n")
                for line in lines:
                    self._take(json.loads(line))

    def _take(self, event: dict) -> None:
        if "speed" in event:
            told = event["speed"]
            self.measured(told if isinstance(told, str) else told_speed(told, self._started))
        if "end" in event:
            self.done += 1
            self.ended(event["end"])
        self.problem = event.get("problem", self.problem)
