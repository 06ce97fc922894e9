"""Tasks of a study: each with its own images, named by an option of its own."""

from __future__ import annotations

from collections.abc import Mapping

from keras_radtl.cli.options import config_from
from keras_radtl.config import Config, UserError, update
from keras_radtl.sweeps.run_list import add_levels


def add_task_options(group, tasks: Mapping[str, dict]) -> None:
    """Add `--tasks` and `--data-TASK` for each task.

    Args:
        group: argparse group.
        tasks: by name, what a task changes in the study's configuration.
    """
    add_levels(group, "--tasks", tuple(tasks), "tasks")
    for task in tasks:
        group.add_argument(
            f"--data-{task}", metavar="PATH", help=f"images of the task {task}; or --data with --tasks {task}"
        )


def task_config(arguments, task: str, tasks: Mapping[str, dict], study: dict) -> Config:
    """Return the configuration of one task, with the data that the options name for it, or no path.

    Args:
        arguments: parsed options.
        task: name of the task.
        tasks: by name, what a task changes.
        study: nested values of two levels that hold for all tasks.
    Raises:
        UserError: when `--data` is given for several tasks.
    """
    common = getattr(arguments, "data.path")
    if common and len(arguments.tasks) > 1:
        raise UserError(
            f"--data is for one task: name one by --tasks, or use --data-{' and --data-'.join(arguments.tasks)}"
        )
    joined = {**study, **{part: {**study.get(part, {}), **values} for part, values in tasks[task].items()}}
    path = getattr(arguments, f"data_{task}") or common or ""
    return update(config_from(arguments, joined), {"data": {"path": path}})
