"""Graceful interruption by Ctrl-C and SIGTERM.

A training ends after the current batch, with its last epoch saved. Everything else ends at once with `Stopped`; files
are renamed when they are complete, so none is left half-written.
"""

from __future__ import annotations

import signal
import threading

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM
AT_ONCE = "stopped; no file is half-written; run the same command again"


class Stopped(BaseException):
    """Raised when a command is interrupted; the message tells what is saved and how to go on.

    As `KeyboardInterrupt`, it is no `Exception`, so that no `except Exception` of a library ends it during an import.

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
        message: Message of the `Stopped` that is raised immediately.

    Requests may be nested: the inner one handles a signal, and the code of the outer ones is set too.

    Attributes:
        code: 0, or the exit code that belongs to the signal.
    """

    def __init__(self, immediately: bool = False, message: str = AT_ONCE):
        self.code = 0
        self._old: dict = {}
        self._outer: StopRequest | None = None
        self._immediately, self._message = immediately, message

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            outer = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
            self._outer = outer if isinstance(outer, StopRequest) else None
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
        request: StopRequest | None = self
        while request is not None:
            request.code, request = 128 + number, request._outer
        if self._immediately:
            raise Stopped(self._message, self.code)

    def check(self, where: str) -> None:
        """Raise `Stopped` if a signal has been received.

        Args:
            where: Progress of the run for the message, such as `in epoch 3`.
        Raises:
            Stopped: With the message and the exit code.
        """
        if self.code:
            raise Stopped(f"stopped {where}; run the same command to resume", self.code)
