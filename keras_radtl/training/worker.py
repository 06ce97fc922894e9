"""The worker of a sweep or a search: a process that executes tasks one after another.

It reads tasks from stdin and writes one answer per task to stdout, both as JSON objects, one per line. A task names its
kind, `{"task": "train", ...}`; an answer has the fields of `Answer`. The worker ends when its stdin is closed, so that
no run is trained by two processes: a task in progress is then stopped, with its last epoch saved.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import queue
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from keras_radtl.config import Config, UserError, from_dict
from keras_radtl.config.wording import FlagFormatter
from keras_radtl.data.dataset import Dataset
from keras_radtl.reproducibility import import_tensorflow
from keras_radtl.runs.interrupt import TERMINATED, Stopped, StopRequest
from keras_radtl.runs.lock import locked
from keras_radtl.training.load import read_data
from keras_radtl.training.plan import Plan, make_plan
from keras_radtl.training.run_options import RunOptions

if TYPE_CHECKING:
    from keras_radtl.models.backbone_cache import BackboneCache

DONE, REFUSED, STOPPED, DISK_FULL, FAILED, DIED = "done", "refused", "stopped", "disk_full", "failed", "died"
WORDING = "KERAS_RADTL_FLAGS"  # variable that is set if the log names flags, since a command started the worker
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
_LOCK_SECONDS = 120.0  # for a worker whose parent was killed to end
_POLL_SECONDS = 0.2
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """How a task ended.

    Attributes:
        outcome: `done`; `refused`: the input cannot be used; `stopped`: after SIGTERM; `disk_full`: nothing can be
            written; `failed`: any other error; `died`: the process ended without an answer.
        text: The reason; empty when done.
        result: JSON-able result of the task.
        memory: Resident memory of the worker after the task, in bytes.
    """

    outcome: str
    text: str = ""
    result: dict = field(default_factory=dict)
    memory: int = 0


def train_task(name: str, config: dict, options: RunOptions) -> dict:
    """Return the task that trains one run.

    Args:
        name: Name of the run, for the log.
        config: Configuration of the run, from `config.to_dict`.
        options: Options of the run.
    """
    values = {**asdict(options), "output": str(options.output)}
    return {"task": "train", "name": name, "config": config, "options": values}


class Worker:
    """Executes tasks and keeps the last dataset and backbone for the next task.

    Args:
        cache: Folder for the pixels of large datasets.
    """

    def __init__(self, cache: Path):
        self.cache = cache
        self._key: tuple | None = None
        self._dataset: Dataset | None = None
        self._backbone_cache: BackboneCache | None = None

    def tasks(self) -> dict[str, Callable[[dict], dict]]:
        """Return, by kind, the functions that execute a task and return its result."""
        return {"train": self._train}

    def answer(self, task: dict) -> Answer:
        """Execute a task; an error is an answer, so that it costs no other task."""
        outcome, text, result = DONE, "", {}
        try:
            result = self.tasks()[task["task"]](task)
        except UserError as error:
            outcome, text = REFUSED, str(error)
        except Stopped as stop:
            outcome, text = STOPPED, str(stop)
        except Exception as error:  # a bug in one run
            logger.exception("the task failed")
            outcome, text = _classify(error)
        return Answer(outcome, text, result, _resident_memory())

    def load(self, plan: Plan) -> Dataset:
        """Return the dataset of a plan; the last one is kept."""
        if self._dataset is None or plan.data_key != self._key:
            self._key, self._dataset = None, None  # frees the memory first
            self._dataset = read_data(plan, Path(tempfile.mkdtemp(dir=self.cache)))
            self._key = plan.data_key
        return self._dataset

    def _train(self, task: dict) -> dict:
        from keras_radtl.models.backbone_cache import BackboneCache
        from keras_radtl.training.train import train_run

        config = from_dict(Config, task["config"])
        options = RunOptions(**{**task["options"], "output": Path(task["options"]["output"])})
        logger.info("---- %s", task["name"])
        dataset = self.load(make_plan(config))
        backbone_cache, self._backbone_cache = self._backbone_cache or BackboneCache(), None
        train_run(config, options, dataset, backbone_cache)
        self._backbone_cache = backbone_cache  # not after an error, which leaves the layers in an unknown state
        return {}


def _classify(error: Exception) -> tuple[str, str]:
    """Return the outcome and the text of an unexpected error."""
    if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
        return DISK_FULL, f"{error.strerror}: {error.filename or 'output'}"
    return FAILED, f"{type(error).__name__}: {error}"[:500]


def _resident_memory() -> int:
    import psutil

    return psutil.Process().memory_info().rss


def serve(make: Callable[[Path], Worker], folder: Path, cache: Path) -> int:
    """Answer tasks until stdin is closed or SIGTERM arrives outside a run; what `main` of a worker module calls.

    Args:
        make: Function that returns the worker; it is called with `cache`.
        folder: Folder of the sweep or search, which only one worker at a time may use.
        cache: Folder for the pixels of large datasets; it is removed at the end.
    Returns:
        The exit code, 128 plus the number of the signal.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter((FlagFormatter if os.environ.get(WORDING) else logging.Formatter)("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    tasks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    closed = threading.Event()  # stdin
    try:
        with StopRequest(immediately=True), contextlib.ExitStack() as stack:
            threading.Thread(target=_listen, args=(tasks, closed), daemon=True).start()
            _lock(folder, stack)
            import_tensorflow()  # every task needs it
            worker = make(cache)
            while True:
                answer = worker.answer(json.loads(tasks.get()))
                answers.write(json.dumps(asdict(answer)) + "\n")
                answers.flush()
                if closed.is_set():
                    return TERMINATED
    except Stopped as stop:
        return stop.code
    except BrokenPipeError:  # the parent has ended
        return TERMINATED
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        shutil.rmtree(cache, ignore_errors=True)
        with contextlib.suppress(BrokenPipeError):
            answers.close()


def _lock(folder: Path, stack: contextlib.ExitStack) -> None:
    """Become the only worker of a folder; wait for a worker whose parent was killed.

    Raises:
        UserError: If the other worker does not end.
    """
    end = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            return stack.enter_context(locked(folder / "worker"))
        except UserError:
            if time.monotonic() > end:
                raise
            time.sleep(_POLL_SECONDS)


def _listen(tasks: queue.SimpleQueue, closed: threading.Event) -> None:
    """Queue the lines of stdin; when it is closed, stop this process."""
    rest = b""
    while chunk := os.read(0, 65536):  # not sys.stdin: a thread that waits for it would hold its lock at the end
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            tasks.put(line)
    closed.set()
    os.kill(os.getpid(), signal.SIGTERM)
