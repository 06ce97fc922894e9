"""How messages of a sweep name what a user can set: flags on the command line, arguments in Python."""

from __future__ import annotations

from collections.abc import Sequence


class Spelling:
    """Flags of the command `sweep`."""

    def task_data(self, *tasks: str) -> str:
        """Return how the data of tasks are named."""
        return " and ".join(f"--data-{task}" for task in tasks)

    def skip_missing(self, words: Sequence[str]) -> str:
        """Return how runs are skipped that need something that is missing."""
        return f"--skip-missing {' '.join(words)}"

    def argument(self, name: str) -> str:
        """Return an argument, such as `output`, as the user writes it."""
        return "--" + name.replace("_", "-")


class PythonSpelling(Spelling):
    """Arguments of `run_sweep`."""

    def task_data(self, *tasks: str) -> str:
        """Return how the data of tasks are named."""
        return f"data={{{', '.join(f'{task!r}: PATH' for task in tasks)}}}"

    def skip_missing(self, words: Sequence[str]) -> str:
        """Return how runs are skipped that need something that is missing."""
        return f"skip_missing={list(words)}"

    def argument(self, name: str) -> str:
        """Return an argument as the user writes it."""
        return f"`{name}`"


FLAGS, ARGUMENTS = Spelling(), PythonSpelling()
