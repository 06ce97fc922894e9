"""What all commands share: logging to the terminal and the meaning of exit codes."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Callable, Sequence

from keras_radtl.cli.wording import as_flags
from keras_radtl.config import UserError
from keras_radtl.runs.interrupt import INTERRUPTED, Stopped

USER_ERROR = 2


def run_command(function: Callable[[Sequence[str] | None], int | None], argv: Sequence[str] | None) -> int:
    """Run a command and turn what it raises into an exit code and one line on stderr.

    Returns:
        0 when all went well, 2 for a user error or a full disk, 130 after Ctrl-C, 143 after SIGTERM. Anything else
        is a defect of the program and keeps its traceback.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        return function(argv) or 0
    except UserError as error:
        return _report(as_flags(str(error)), USER_ERROR)
    except Stopped as stop:
        return _report(str(stop), stop.code)
    except KeyboardInterrupt:
        return _report("stopped", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            return _report(
                f"{error.strerror}: {error.filename or 'output'}. What was written before is intact.", USER_ERROR
            )
        raise


def _report(message: str, code: int) -> int:
    sys.stdout.flush()
    print("error: " * (code == USER_ERROR) + " ".join(message.split()), file=sys.stderr)
    return code
