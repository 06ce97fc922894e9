"""The parent's side of a worker: starts the process, sends it tasks and replaces it.

A process executes only some tasks and is replaced when it holds much memory, since TensorFlow does not return all
memory before its process ends.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from keras_radtl.config import UserError
from keras_radtl.config.wording import logs_flags
from keras_radtl.runs.interrupt import Stopped, StopRequest
from keras_radtl.system.child_process import END_SECONDS, ChildProcess, describe_end
from keras_radtl.training.worker import DIED, DISK_FULL, DONE, REFUSED, STOPPED, WORDING, Answer

_ALLOCATOR = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}  # large heads: fewer page faults, the same bits
_SHARE = 0.25  # of the available memory: a worker that holds more is replaced


def _wording() -> dict[str, str]:
    """Return the variable with which the worker's log is worded as that of this process."""
    return {WORDING: "1"} if logs_flags() else {}


class WorkerProcess:
    """A worker in a child process, started when it is needed.

    Use it as a context manager: the process ends with the `with` block.

    Args:
        arguments: Arguments of the Python interpreter; the folder and the cache of `worker.serve` are appended.
        log: File to which the worker's log is appended, in the folder of the sweep or search.
        stop: Request to stop, which is passed on to the worker.
        tasks: Maximum number of tasks per process; None: no limit.

    Attributes:
        started: Time at which the process was started, from `time.perf_counter`.
    """

    def __init__(self, arguments: Sequence[str], log: Path, stop: StopRequest, tasks: int | None = None):
        self.log, self.stop, self.started = log, stop, 0.0
        self._arguments, self._tasks = tuple(arguments), tasks
        self._child: ChildProcess | None = None
        self._cache, self._done = "", 0

    def __enter__(self):
        return self

    def __exit__(self, kind, *_) -> None:
        self.end(0.0 if kind is KeyboardInterrupt else END_SECONDS)

    def start(self) -> ChildProcess:
        """Start the process unless it runs; returns it."""
        if self._child is not None:
            return self._child
        self._cache, self._done, self.started = tempfile.mkdtemp(prefix="keras_radtl-"), 0, time.perf_counter()
        arguments = [*self._arguments, str(self.log.parent), self._cache]
        self._child = ChildProcess(arguments, self.log, self.stop, {**_ALLOCATOR, **_wording(), **os.environ})
        return self._child

    def ask(self, task: dict) -> Answer:
        """Execute a task, in a new process if there is none.

        Returns:
            The answer: `done`, `refused`, `failed` or `died`.
        Raises:
            Stopped: If a stop was requested and the task is not done.
            UserError: If the disk is full, since every other task would fail too.
        """
        self.stop.check("between two runs")
        child = self.start()
        child.send(task)
        message = child.receive()
        if message is None:
            answer = Answer(DIED, f"its process {describe_end(self.end())}")
        else:
            answer = Answer(**message)
        if self.stop.code and answer.outcome != DONE:
            name = task.get("name")
            raise Stopped(f"stopped{f' in {name}' if name else ''}; run the same command to resume", self.stop.code)
        if answer.outcome == DISK_FULL:
            raise UserError(
                f"{answer.text}. What was written before is intact; free disk space and run the same command to resume"
            )
        if answer.outcome == STOPPED:
            answer = Answer(DIED, "its process was stopped by a signal")
        self._replace(answer)
        return answer

    def _replace(self, answer: Answer) -> None:
        """End the process when it has done enough, holds much memory or had an unexpected error."""
        from keras_radtl.models.memory import available_memory

        self._done += 1
        enough = self._tasks is not None and self._done >= self._tasks
        if enough or answer.outcome not in (DONE, REFUSED) or answer.memory > _SHARE * available_memory():
            self.end()

    def end(self, seconds: float = END_SECONDS) -> int:
        """End the process and remove its cache; returns its exit code, 0 when there was none.

        Args:
            seconds: Time to wait before the process is killed.
        """
        if self._child is None:
            return 0
        child, self._child = self._child, None
        code = child.end(seconds)
        shutil.rmtree(self._cache, ignore_errors=True)
        return code
