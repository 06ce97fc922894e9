"""Exit codes and terminal logging of all commands."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Callable, Sequence

from keras_radtl.config import UserError
from keras_radtl.config.errors import one_line, shown
from keras_radtl.config.wording import FlagFormatter, as_flags
from keras_radtl.runs.interrupt import AT_ONCE, INTERRUPTED, Stopped, StopRequest

USER_ERROR = 2
_OUTPUT = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO)  # a disk that fails
_PATH = (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR)  # a path that cannot be used


def run_command(function: Callable[[Sequence[str] | None], int | None], argv: Sequence[str] | None) -> int:
    """Run a command; expected exceptions and signals become an exit code and one line on stderr.

    Ctrl-C and SIGTERM end it at once, during imports too, unless the command handles them itself, as a training does.

    Args:
        function: Function of the arguments that returns an exit code; None: 0.
        argv: Command-line arguments; None: those of the process.
    Returns:
        0 on success, 2 for a user error or a disk that cannot be written, 130 after Ctrl-C, 143 after SIGTERM. Other
        exceptions are bugs and keep their traceback.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(FlagFormatter("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    with StopRequest(immediately=True) as stop:
        try:
            return _attempt(function, argv)
        except Stopped as stopped:
            return _report(str(stopped), stopped.code)
        except BaseException:
            if stop.code:  # a library has replaced `Stopped` by an error of its own
                return _report(AT_ONCE, stop.code)
            raise


def _attempt(function: Callable[[Sequence[str] | None], int | None], argv: Sequence[str] | None) -> int:
    """Run a command; expected exceptions, but for signals, become an exit code and one line."""
    try:
        return function(argv) or 0
    except UserError as error:
        return _report(as_flags(str(error)), USER_ERROR)
    except KeyboardInterrupt:  # the second Ctrl-C
        return _report(AT_ONCE, INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno in _OUTPUT:
            return _report(
                f"{error.strerror}: {error.filename or 'output'}. What was written before is intact.", USER_ERROR
            )
        if error.errno in _PATH and error.filename is not None:
            return _report(f"{shown(os.fsdecode(error.filename))}: {error.strerror}", USER_ERROR)
        raise


def _report(message: str, code: int) -> int:
    sys.stdout.flush()
    print(one_line("error: " * (code == USER_ERROR) + message), file=sys.stderr)
    return code
