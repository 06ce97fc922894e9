"""Python child processes of this package: one that answers a single question, one that exchanges messages.

A child imports the same package as its parent. It is in a session of its own, so that Ctrl-C reaches the parent alone,
which decides what the child does. Messages are JSON objects, one per line: the parent writes to the child's stdin and
reads from its stdout. What the child writes to stderr goes to a log file.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple, Protocol

PACKAGE_ROOT = Path(__file__).parents[2]  # the folder from which this package was imported
END_SECONDS = 10.0  # for a child to end after its stdin was closed
_POLL_SECONDS = 0.2


class Stop(Protocol):
    """A request to stop, such as `runs.interrupt.StopRequest`: `code` is 0 until a stop is requested."""

    code: int


class Reply(NamedTuple):
    """The exit code and the output of a child that answered one question.

    Attributes:
        code: Exit code; negative: the number of the signal that killed the process.
        output: Text on stdout.
        error: Text on stderr.
    """

    code: int
    output: str
    error: str

    @property
    def last_output(self) -> str:
        """The last line on stdout, which holds the answer; libraries may have printed before."""
        return self.output.strip().splitlines()[-1]

    @property
    def problem(self) -> str:
        """Why there is no answer, in one line: the last line on stderr, or how the child ended."""
        lines = self.error.strip().splitlines()
        return lines[-1] if lines and self.code > 0 else f"the process {describe_end(self.code)}"


def python_path(environment: Mapping[str, str] | None = None) -> str:
    """Return the PYTHONPATH with which a child imports the same package.

    Args:
        environment: Variables of the child; None: those of this process.
    """
    given = (os.environ if environment is None else environment).get("PYTHONPATH", "")
    return os.pathsep.join(dict.fromkeys([str(PACKAGE_ROOT), *filter(None, given.split(os.pathsep))]))


def describe_end(code: int) -> str:
    """Return how a process ended, such as `was killed by SIGKILL, perhaps out of memory`.

    Args:
        code: Exit code; negative: the number of the signal that killed the process.
    """
    if code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    return f"was killed by {name}" + ", perhaps out of memory" * (name == "SIGKILL")


def ask(
    arguments: Sequence[str],
    question: str = "",
    seconds: float | None = None,
    environment: Mapping[str, str] | None = None,
) -> Reply:
    """Run a child to its end: it reads a question from stdin and writes its answer to stdout.

    Args:
        arguments: Arguments of the Python interpreter, such as `["-m", MODULE]`.
        question: Text for stdin.
        seconds: Time limit; None: no limit.
        environment: Variables of the child; None: those of this process.
    Returns:
        The exit code and the text of the child.
    Raises:
        TimeoutError: If the child does not end in time; it is killed.
    """
    try:
        done = subprocess.run(
            [sys.executable, *arguments],
            input=question,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=_variables(environment),
            start_new_session=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"no answer after {seconds:g} s") from None
    return Reply(done.returncode, done.stdout, done.stderr)


def _variables(environment: Mapping[str, str] | None) -> dict[str, str]:
    return {**(os.environ if environment is None else environment), "PYTHONPATH": python_path(environment)}


class ChildProcess:
    """A running child with which messages are exchanged.

    Args:
        arguments: Arguments of the Python interpreter, such as `["-m", MODULE]`.
        log: File to which the child's stderr is appended.
        stop: Request to stop, which `receive` passes on to the child as SIGTERM; None: none.
        environment: Variables of the child; None: those of this process.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        log: Path,
        stop: Stop | None = None,
        environment: Mapping[str, str] | None = None,
    ):
        self._stop, self._stopping = stop, False
        self._messages: queue.SimpleQueue[dict | None] = queue.SimpleQueue()
        with open(log, "ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=_variables(environment),
                start_new_session=True,
                encoding="utf-8",
            )
        self._stdin: IO[str] = self._process.stdin  # type: ignore[assignment]
        self._stdout: IO[str] = self._process.stdout  # type: ignore[assignment]
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._process.pid

    def send(self, message: dict) -> None:
        """Write one message. If the child has ended, nothing happens, and `receive` returns None."""
        with contextlib.suppress(OSError):
            self._stdin.write(json.dumps(message) + "\n")
            self._stdin.flush()

    def receive(self) -> dict | None:
        """Wait for the next message; a request to stop is passed on meanwhile.

        Returns:
            The message; None if the child has ended or has closed its stdout.
        """
        while True:
            if self._stop is not None and self._stop.code and not self._stopping:
                self._process.send_signal(signal.SIGTERM)
                self._stopping = True
            with contextlib.suppress(queue.Empty):
                message = self._messages.get(timeout=_POLL_SECONDS)
                if message is None:
                    self._messages.put(None)  # for the next call
                return message

    def end(self, seconds: float = END_SECONDS) -> int:
        """Close the child's stdin, which asks it to end, and wait; a child that does not end in time is killed.

        Args:
            seconds: Time to wait.
        Returns:
            The exit code; negative: the number of the signal that killed the child.
        """
        with contextlib.suppress(OSError):  # the child may have ended with unread input
            self._stdin.close()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._stdout.close()
        return self._process.returncode

    def _read(self) -> None:
        try:
            for line in self._stdout:
                if line.endswith("\n"):  # else the child died while it wrote
                    self._messages.put(json.loads(line))
        finally:
            self._messages.put(None)
