"""The worker of a sweep: trains runs and measures the speed of this machine.

`python -m keras_radtl.sweeps.worker LIST FOLDER CACHE` answers tasks as described in `training.worker`. LIST is the
file of the list of runs, which may add backbones; empty: none.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from keras_radtl.config import Config, from_dict, to_dict
from keras_radtl.sweeps.run_list import load_list
from keras_radtl.training.worker import Worker, serve


def measure_task(config: Config, asked: dict) -> dict:
    """Return the task that measures the speed of this machine.

    Args:
        config: Configuration of the first run, which determines the device.
        asked: Result of `speed.questions`.
    """
    return {"task": "measure", "config": to_dict(config), "asked": asked}


class SweepWorker(Worker):
    """Executes the tasks of a sweep.

    Args:
        cache: Folder for the pixels of large datasets.
        module: File of the list of runs; empty: none.
    """

    def __init__(self, cache: Path, module: str = ""):
        super().__init__(cache)
        if module:
            load_list(module)

    def tasks(self) -> dict[str, Callable[[dict], dict]]:
        """Return the functions that execute a task, by its kind; each returns the result of the task."""
        return {**super().tasks(), "measure": self._measure}

    @staticmethod
    def _measure(task: dict) -> dict:
        from keras_radtl.sweeps.speed import measure
        from keras_radtl.training.session import training_session

        config = from_dict(Config, task["config"])
        with training_session(config.seed, config.device, config.training.deterministic):
            return measure(task["asked"])


def main(argv=None) -> int:
    """Run the worker; returns the exit code."""
    module, folder, cache = sys.argv[1:] if argv is None else argv
    return serve(partial(SweepWorker, module=module), Path(folder), Path(cache))


if __name__ == "__main__":
    sys.exit(main())
