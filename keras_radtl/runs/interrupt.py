"""Graceful interruption: after Ctrl-C or SIGTERM a run ends after the current batch, with its last epoch saved."""

from __future__ import annotations

import signal
import threading

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM


class Stopped(Exception):
    """Raised when a run is interrupted; its state is saved, and the message tells how to resume.

    Attributes:
        code: Exit code of the process.
    """

    def __init__(self, message: str, code: int = INTERRUPTED):
        super().__init__(message)
        self.code = code


class StopRequest:
    """A context manager that handles SIGINT and SIGTERM; a second Ctrl-C raises KeyboardInterrupt.

    Args:
        immediately: Raise `Stopped` as soon as a signal arrives, until `defer` is called; False: only record the
            signal for `check`.

    Attributes:
        code: 0, or the exit code that belongs to the signal.
    """

    def __init__(self, immediately: bool = False):
        self.code = 0
        self._old = {}
        self._immediately = immediately

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._old[number] = signal.signal(number, self._request)
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def defer(self) -> None:
        """Only record signals from now on, since the run has begun to write files."""
        self._immediately = False

    def _request(self, number: int, _frame) -> None:
        if self.code and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.code = 128 + number
        if self._immediately:
            raise Stopped("stopped before training began", self.code)

    def check(self, where: str) -> None:
        """Raise `Stopped` if a signal has been received.

        Args:
            where: Progress of the run for the message, such as `in epoch 3`.
        Raises:
            Stopped: With the message and the exit code.
        """
        if self.code:
            raise Stopped(f"stopped {where}; run the same command to resume", self.code)
