"""Orderly stops: after Ctrl-C or SIGTERM the current batch ends, and the run stops with its last epoch saved."""

from __future__ import annotations

import signal
import threading

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM


class Stopped(Exception):
    """A run was asked to stop and its state is saved; the text says how to resume, `code` is the exit code."""

    def __init__(self, message: str, code: int = INTERRUPTED):
        super().__init__(message)
        self.code = code


class StopRequest:
    """Handles SIGINT and SIGTERM inside its `with` block; a second Ctrl-C stops at once.

    Args:
        immediately: raise `Stopped` at once, until `defer` is called; False: only set a flag that `check` looks at.

    Attributes:
        code: 0, or the exit code that was asked for.
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
        """From now on only set the flag: work has begun that must end in good order."""
        self._immediately = False

    def _request(self, number: int, _frame) -> None:
        if self.code and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.code = 128 + number
        if self._immediately:
            raise Stopped("stopped before training began", self.code)

    def check(self, where: str) -> None:
        """Raise `Stopped` when a stop was asked for.

        Args:
            where: how far the run came, for the message.
        """
        if self.code:
            raise Stopped(f"stopped {where}; run the same command to resume", self.code)
