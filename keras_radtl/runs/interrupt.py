"""Stopping in good order: Ctrl-C and SIGTERM let the batch end, then the run stops with its last epoch saved."""

from __future__ import annotations

import signal
import threading

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM


class Stopped(Exception):
    """A run that was asked to stop and whose state is saved; the text says how to go on, `code` is the exit code."""

    def __init__(self, message: str, code: int = INTERRUPTED):
        super().__init__(message)
        self.code = code


class StopRequest:
    """Within its `with` block SIGINT and SIGTERM only set a flag; a second Ctrl-C stops at once.

    Attributes:
        code: 0, or the exit code that was asked for.
    """

    def __init__(self):
        self.code = 0
        self._old = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._old[number] = signal.signal(number, self._request)
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _request(self, number: int, _frame) -> None:
        if self.code and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.code = 128 + number

    def check(self, where: str) -> None:
        """Raise `Stopped` when a stop was asked for.

        Args:
            where: how far the run came, for the message.
        """
        if self.code:
            raise Stopped(f"stopped {where}; the same command goes on from there", self.code)
