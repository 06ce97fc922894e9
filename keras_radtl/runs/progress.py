"""Progress of long computations: a progress bar on a terminal, log lines otherwise."""

from __future__ import annotations

import logging
import sys
import time

logger = logging.getLogger(__name__)


def clock(seconds: float) -> str:
    """Return seconds as `m:ss`, or as `h:mm:ss` for one hour or more."""
    minutes, rest = divmod(int(round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class Progress:
    """Progress of `total` steps; use it as a context manager and call `advance` or `update`.

    On a terminal it shows a bar with the remaining time, which is removed at the end; otherwise it logs a line at most
    every `interval` seconds. Lines written with `write_line` remain in both cases.

    Args:
        title: What is being done, for the bar and the log lines.
        total: Number of steps.
        interval: Minimum time between two log lines, in seconds.
    """

    def __init__(self, title: str, total: int, interval: float = 15.0):
        self.title, self.total, self.done = title, total, 0
        self._interval, self._bar, self._task = interval, None, None
        self._start = self._last = time.monotonic()
        self._first = 0

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
            )
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self.title, total=self.total)
        return self

    def __exit__(self, *_) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, steps: int = 1) -> None:
        """Add `steps` to the completed steps."""
        self.update(self.done + steps)

    def update(self, done: int, total: int | None = None) -> None:
        """Set the number of completed steps; suitable as a callback with the arguments (done, total)."""
        if not self._first:
            self._first, self._start = done, time.monotonic()  # excludes the steps of an interrupted run
            self._last = self._start
        self.done, self.total = done, total or self.total
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=self.total)
            return
        now = time.monotonic()
        if now - self._last >= self._interval:
            self._last = now
            left = (now - self._start) / max(done - self._first, 1) * (self.total - done)
            logger.info("%s: %d of %d, left %s", self.title, done, self.total, clock(left))

    def write_line(self, text: str) -> None:
        """Print a line above the bar, or log it."""
        if self._bar is not None:
            self._bar.console.print(text, highlight=False, markup=False)
        else:
            logger.info("%s", text)

    def describe(self, title: str) -> None:
        """Change the title."""
        self.title = title
        if self._bar is not None:
            self._bar.update(self._task, description=title)
