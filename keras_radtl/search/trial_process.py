"""The process that trains the trials of a search."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from keras_radtl.config import Config, UserError, to_dict
from keras_radtl.runs.interrupt import StopRequest
from keras_radtl.system.child_process import PACKAGE_ROOT
from keras_radtl.training.run_options import RunOptions
from keras_radtl.training.worker import DONE, REFUSED, train_task
from keras_radtl.training.worker_process import WorkerProcess

WORKER = ("-m", "keras_radtl.search.trial_worker")


class TrialFailed(Exception):
    """A trial without a result; the text gives the reason in one line."""


class TrialProcess(WorkerProcess):
    """The worker of a search.

    Args:
        log: File in the folder of the search to which the worker's log is appended.
        stop: Request to stop, which is passed on to the worker.
        tasks: Maximum number of tasks per process.
    """

    def __init__(self, log: Path, stop: StopRequest, tasks: int = 8):
        super().__init__(WORKER, log, stop, tasks)

    def train(self, config: Config, output: Path, options: Mapping) -> None:
        """Train one trial into its run directory.

        Args:
            config: Configuration of the trial.
            output: The run directory.
            options: Further fields of `RunOptions`.
        Raises:
            UserError: If every other trial would fail too, because of the data, the configuration or the disk.
            TrialFailed: If this trial failed.
            Stopped: If a stop was requested.
        """
        run_options = RunOptions(output, resume=True, figures=False, test=False, **options)
        self._result(train_task(f"trial {output.name}", to_dict(config), run_options))

    def rehearse(self, configs: Sequence[Config]) -> dict:
        """Read the data and build the models of some configurations, without training.

        Returns:
            `data_sha256`, `cases`, and the largest number of `weights` and of `trainable` weights of a model.
        Raises:
            UserError: If one of them cannot be trained.
            TrialFailed: If the process fails.
            Stopped: If a stop was requested.
        """
        return self._result({"task": "rehearse", "configs": [to_dict(config) for config in configs]})

    def _result(self, task: dict) -> dict:
        answer = self.ask(task)
        if answer.outcome == REFUSED:
            raise UserError(answer.text)
        if answer.outcome != DONE:
            raise TrialFailed(one_line(answer.text))
        self.stop.check("between two trials")
        return answer.result


def one_line(text: str, limit: int = 300) -> str:
    """Return a message as one line without the folders of this machine.

    Args:
        text: Text of any length.
        limit: Maximum number of characters.
    """
    text = " ".join(text.split())
    for folder in (str(PACKAGE_ROOT), sys.prefix, str(Path.home()), os.getcwd()):
        text = text.replace(folder + os.sep, "") if len(folder) > 1 else text
    return text[:limit]
