"""Execute some runs of a plan in a process of its own: `python -m keras_radtl.sweeps.worker FOLDER START COUNT`.

Tells its parent on stdout, a line of JSON each, how fast it is, and when a run begins and ends. Stops when the parent
goes, whose end of stdin then closes: a run is never done by two processes.
"""

from __future__ import annotations

import errno
import json
import logging
import math
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from keras_radtl.config import UserError
from keras_radtl.runs.interrupt import Stopped
from keras_radtl.sweeps.folder import SweepFolder, SweepOptions
from keras_radtl.sweeps.run_list import RunSpec, data_key, load_list

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
FULL_DISK = 3  # exit code: going on would only fail every other run too
_SHARE = 0.25  # of the memory still available: a process that holds more is given up after its run
_WAIT_SECONDS = 120.0  # for a worker whose parent was killed, to end
logger = logging.getLogger(__name__)


class Worker:
    """Executes runs one after the other and keeps the last data set and backbone for the next run.

    Args:
        options: how runs are done.
        cache: folder for the pixels of large data sets.
    """

    def __init__(self, options: SweepOptions, cache: Path):
        self.options, self.cache = options, cache
        if options.module:
            load_list(options.module)
        self._key, self._dataset, self._backbone_cache = "", None, None

    def measure(self, runs: Sequence[RunSpec]) -> dict | str:
        """Return the speed of this machine as `speed.measure` does, or in one line why it is not known."""
        from keras_radtl.reproducibility import prepare
        from keras_radtl.sweeps.speed import listed_words, measure

        first = runs[0].config
        prepare(first.seed, first.device, first.training.deterministic)
        try:
            return measure(listed_words(run.config for run in runs))
        except Exception as error:  # one impossible run must not stop the others; it will fail by name
            return " ".join(str(error).split())[:200]

    def run(self, run: RunSpec, output: Path) -> str | None:
        """Execute one run into `output`; returns None, or in one line why it failed.

        Raises:
            Stopped: when a stop was asked for.
            OSError: when the disk is full.
        """
        from keras_radtl.training.train import train

        try:
            dataset = self._load(run)
            from keras_radtl.models.backbone_cache import BackboneCache

            backbone_cache, self._backbone_cache = self._backbone_cache or BackboneCache(), None
            train(run.config, self.options.run_options(output), dataset, backbone_cache)
            self._backbone_cache = backbone_cache  # only now: a run that failed leaves its layers in any state
        except UserError as error:
            return str(error)
        except Stopped:
            raise
        except Exception as error:  # a defect in one run must not cost the others
            if getattr(error, "errno", None) in _NO_ROOM:
                raise
            logger.exception("run %s failed", run.name)
            return f"{type(error).__name__}: {error}"[:500]
        return None

    def _load(self, run: RunSpec):
        key = data_key(run.config)
        if key != self._key:
            from keras_radtl.reproducibility import prepare
            from keras_radtl.training.train import load_data

            self._key, self._dataset = "", None
            prepare(run.config.seed, run.config.device, run.config.training.deterministic)
            self._dataset = load_data(run.config, Path(tempfile.mkdtemp(dir=self.cache)))
            self._key = key
        return self._dataset


def execute(folder: SweepFolder, start: int, count: int, tell: Callable[[dict], None]) -> None:
    """Execute up to `count` runs of the folder's plan from `start` on; failures are written to the folder.

    Before the first run of the plan the speed of this machine is measured. Ends early when a next run might not find
    its memory: a process keeps much of what its largest run took.

    Args:
        folder: of the sweep.
        start: index of the first run in the plan.
        count: runs.
        tell: takes the events `{"speed": ...}`, `{"begin": name}` and `{"end": name}`.
    """
    from keras_radtl.models.memory import available_memory

    runs, options = folder.read_plan()
    with tempfile.TemporaryDirectory(prefix="keras_radtl-") as cache:
        worker = Worker(options, Path(cache))
        if start == 0:
            tell({"speed": worker.measure(runs)})
        for run in runs[start : start + count]:
            tell({"begin": run.name})
            logger.info("---- %s", run.name)
            started = time.monotonic()
            error = worker.run(run, folder.run(run.name).path)
            if error is None:
                folder.clear_failure(run.name)
            else:
                folder.set_failure(run.name, error, time.monotonic() - started)
            tell({"end": run.name})
            if _resident() > _SHARE * (available_memory() or math.inf):
                break


def main(argv=None) -> int:
    """Run the worker; returns 0, 130 or 143 after a stop, 3 when the disk is full."""
    from filelock import FileLock

    path, start, count = sys.argv[1:] if argv is None else argv
    folder = SweepFolder(Path(path))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what native code prints is no event
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def tell(event: dict) -> None:
        events.write(json.dumps(event) + "\n")
        events.flush()

    try:
        with FileLock(folder.path / ".worker.lock", timeout=_WAIT_SECONDS):
            execute(folder, int(start), int(count), tell)
    except Stopped as stop:
        return stop.code
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except OSError as error:
        logger.exception("stopped")
        tell({"problem": f"{error.strerror or error}: {error.filename or folder.path}"})
        return FULL_DISK
    return 0


def _resident() -> int:
    """Return the resident memory of this process in bytes; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except OSError:
        return 0


def _end_with_parent() -> None:
    while os.read(0, 4096):  # not sys.stdin: its lock must be free when the process ends
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
