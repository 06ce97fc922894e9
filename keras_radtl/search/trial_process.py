"""The child process that trains trials: one after the other, a fresh process after some, so that memory stays flat."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from keras_radtl.config import Config, UserError, to_dict
from keras_radtl.runs.interrupt import Stopped, StopRequest

_PACKAGES = Path(__file__).parents[2]
_POLL_SECONDS = 0.2
_END_SECONDS = 10.0
WORKER = (sys.executable, "-m", "keras_radtl.search.trial_worker")


class TrialFailed(Exception):
    """A trial that gave no result; the text says why in one line."""


class TrialProcess:
    """Asks a child process to do tasks, and starts it anew when it died or has done enough.

    Use it as a context manager: at its end the child ends.

    Args:
        log: file to which the child's lines are added.
        stop: told here, passed on to the child.
        tasks: after so many a fresh process is started.
    """

    def __init__(self, log: Path, stop: StopRequest, tasks: int = 8):
        self.log, self.stop, self.tasks = log, stop, tasks
        self._child = self._answers = self._reader = self._cache = None
        self._done = 0

    def __enter__(self) -> TrialProcess:
        return self

    def __exit__(self, *_) -> None:
        self._end()

    def start(self) -> None:
        """Start the child if there is none, so that it loads TensorFlow while other things are done."""
        if self._child is not None:
            return
        self._cache, self._done, self._answers = tempfile.mkdtemp(prefix="keras_radtl-"), 0, queue.SimpleQueue()
        paths = [str(_PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])]
        with open(self.log, "ab") as log:
            self._child = subprocess.Popen(
                [*WORKER, self._cache],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                start_new_session=True,  # Ctrl-C reaches this process alone, which passes it on
                encoding="utf-8",
            )
        self._reader = threading.Thread(target=_read, args=(self._child.stdout, self._answers), daemon=True)
        self._reader.start()

    def train(self, config: Config, output: Path, options: dict) -> None:
        """Train one trial into its run directory.

        Args:
            config: of the trial.
            output: the run directory.
            options: further fields of `RunOptions`.
        Raises:
            UserError: when no trial could do better: data, configuration or disk are wrong.
            TrialFailed: when this trial failed.
            Stopped: when a stop was asked for.
        """
        self._ask({"config": to_dict(config), "output": str(output), "options": options})

    def rehearse(self, configs: Sequence[Config]) -> dict:
        """Read the data and build the models of some configurations, without training.

        Returns:
            `data_sha256`, `cases`, and the most `weights` and `trainable` weights of a model.
        Raises:
            UserError: when one of them cannot be trained.
            TrialFailed: when the process fails.
        """
        return self._ask({"configs": [to_dict(config) for config in configs]})

    def _ask(self, task: dict) -> dict:
        self.stop.check("between two trials")
        self.start()
        with contextlib.suppress(OSError):  # when it has ended, `_wait` tells how
            self._child.stdin.write(json.dumps(task) + "\n")
            self._child.stdin.flush()
        answer = self._wait()
        self._done += 1
        if self._done >= self.tasks or "failure" in answer:
            self._end()
        if "mistake" in answer:
            raise UserError(answer["mistake"])
        if "failure" in answer:
            raise TrialFailed(one_line(answer["failure"]))
        if "stopped" in answer or self.stop.code:
            raise Stopped("stopped in a trial; the same command goes on from there", self.stop.code)
        return answer

    def _wait(self) -> dict:
        told = False
        while True:
            if self.stop.code and not told:
                self._child.send_signal(signal.SIGTERM)
                told = True
            try:
                line = self._answers.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
            if line:
                return json.loads(line)
            code = self._child.wait()
            self._end()
            if self.stop.code:
                return {"stopped": ""}
            return {"failure": _reason(code)}

    def _end(self) -> None:
        if self._child is None:
            return
        child, self._child = self._child, None
        with contextlib.suppress(OSError):  # it may have ended already
            child.stdin.close()
        try:
            child.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        self._reader.join()
        child.stdout.close()
        shutil.rmtree(self._cache, ignore_errors=True)


def one_line(text: str, limit: int = 300) -> str:
    """Return a message as one line without the folders of this machine."""
    text = " ".join(text.split())
    for folder in (str(_PACKAGES), sys.prefix, str(Path.home()), os.getcwd()):
        text = text.replace(folder + os.sep, "") if len(folder) > 1 else text
    return text[:limit]


def _reason(code: int) -> str:
    if code >= 0:
        return f"the process of the trial ended with exit code {code}"
    hint = ", perhaps for want of memory" if code == -signal.SIGKILL else ""
    return f"the process of the trial ended by {signal.Signals(-code).name}{hint}"


def _read(stream, answers: queue.SimpleQueue) -> None:
    for line in stream:
        answers.put(line)
    answers.put("")
