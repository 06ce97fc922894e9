"""Exit codes of commands: expected errors are one line on stderr, bugs keep their traceback."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys

import pytest

from keras_radtl.cli.app import run_command
from keras_radtl.config import UserError
from keras_radtl.runs.interrupt import Stopped


def raising(error):
    def command(_):
        raise error

    return command


def test_command_gets_arguments_and_returns_exit_code():
    assert run_command(lambda argv: argv and None, ["a"]) == 0
    assert run_command(lambda argv: 3, None) == 3


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UserError("no\n  such   file"), 2, "error: no such file"),
        (Stopped("stopped in epoch 2", 143), 143, "stopped in epoch 2"),
        (Stopped("stopped in epoch 2"), 130, "stopped in epoch 2"),
        (KeyboardInterrupt(), 130, "stopped; no file is half-written; run the same command again"),
        (OSError(errno.ENOSPC, "No space left on device", "x.npz"), 2,
         "error: No space left on device: x.npz. What was written before is intact."),
        (OSError(errno.EROFS, "Read-only file system"), 2,
         "error: Read-only file system: output. What was written before is intact."),
        (PermissionError(errno.EACCES, "Permission denied", "y"), 2,
         "error: Permission denied: y. What was written before is intact."),
    ],
)  # fmt: skip
def test_expected_errors_are_one_line(capsys, error, code, line):
    assert run_command(raising(error), []) == code
    assert capsys.readouterr() == ("", line + "\n")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("replaced", [False, True])
def test_signals_end_a_command_with_one_line(capsys, number, code, replaced):
    def command(_):
        try:
            os.kill(os.getpid(), number)
        except BaseException as error:
            raise (ImportError("initialization failed") if replaced else error) from None

    assert run_command(command, []) == code
    assert capsys.readouterr() == ("", "stopped; no file is half-written; run the same command again\n")


def test_log_messages_name_flags():
    code = (
        "import logging, sys\nfrom keras_radtl.cli.app import run_command\n"
        "run_command(lambda _: logging.warning('assuming `scaling=%r`; set `overwrite=True` or `x`', 'torch'), [])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert found.stderr == "assuming --scaling torch; set --overwrite or `x`\n"


@pytest.mark.parametrize("error", [RuntimeError("bug"), ValueError("bug"), OSError(errno.EBADF, "broken")])
def test_other_errors_keep_their_traceback(error):
    with pytest.raises(type(error)):
        run_command(raising(error), [])


def test_closed_pipe_is_not_an_error():
    code = (
        "import sys\nfrom keras_radtl.cli.app import run_command\n"
        "def command(_):\n    while True:\n        sys.stdout.write('line\\n')\n"
        "sys.exit(run_command(command, []))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == b"line\n"
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(20) == 1
