"""The worker of a sweep: trains runs and measures the speed of this machine.

`python -m keras_radtl.sweeps.worker LIST FOLDER CACHE` answers tasks as `training.worker` describes. LIST is the
file of the list of runs, which may add backbones; empty: none.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from keras_radtl.config import Config, from_dict, to_dict
from keras_radtl.sweeps.run_list import load_list
from keras_radtl.training.worker import Worker, serve


def measure_task(config: Config, words: Sequence[str]) -> dict:
    """Return the task that measures the speed of this machine.

    Args:
        config: of the first run, which decides the device.
        words: of `speed.listed_words`.
    """
    return {"task": "measure", "config": to_dict(config), "words": list(words)}


class SweepWorker(Worker):
    """Executes the tasks of a sweep.

    Args:
        cache: folder for the pixels of large datasets.
        module: file of the list of runs; empty: none.
    """

    def __init__(self, cache: Path, module: str = ""):
        super().__init__(cache)
        if module:
            load_list(module)

    def tasks(self) -> dict[str, Callable[[dict], dict]]:
        """Return, by kind, the functions that execute a task and return its result."""
        return {**super().tasks(), "measure": self._measure}

    @staticmethod
    def _measure(task: dict) -> dict:
        from keras_radtl.sweeps.speed import measure
        from keras_radtl.training.session import training_session

        config = from_dict(Config, task["config"])
        with training_session(config.seed, config.device, config.training.deterministic):
            return measure(task["words"])


def main(argv=None) -> int:
    """Run the worker; returns the exit code."""
    module, folder, cache = sys.argv[1:] if argv is None else argv
    return serve(partial(SweepWorker, module=module), Path(folder), Path(cache))


if __name__ == "__main__":
    sys.exit(main())
