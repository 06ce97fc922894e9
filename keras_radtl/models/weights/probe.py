"""Read the structure of a weight file in a child process first, with limited time and memory.

The HDF5 library is written in C: a damaged or crafted file can crash it or make it loop forever. When a child process
dies or hangs, the file is refused; the process that trains opens only files that its child has read.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from keras_radtl.config import UserError
from keras_radtl.models.weights.hdf5 import open_weights
from keras_radtl.system.child_process import ask, describe_end

SECONDS = 60.0  # InceptionResNetV2 takes 3 on a slow machine
_EXTRA_MEMORY = 4 << 30  # bytes of address space in addition to the file; Python and its libraries reserve 1 GiB
_ONE_THREAD = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)  # each thread reserves some


def probe_weights(path: Path, expected_bytes: int, seconds: float = SECONDS) -> None:
    """Open a weight file in a child process and refuse it when that fails, crashes or does not end.

    Args:
        path: regular file.
        expected_bytes: int, size of the backbone's variables as float32.
        seconds: float, time limit.
    Raises:
        UserError: the error of `open_weights`, or a description of how the child process ended.
    """
    arguments = ["-m", "keras_radtl.models.weights.probe", str(path), str(expected_bytes)]
    try:
        reply = ask(arguments, seconds=seconds, environment={**os.environ, **_ONE_THREAD})
    except TimeoutError:
        raise UserError(f"{path}: refused, reading its structure does not end (after {seconds:g} s)") from None
    if reply.code == 2:
        raise UserError(reply.error.strip())
    if reply.code != 0:
        last = f": {reply.problem}" if reply.code > 0 and reply.error.strip() else ""
        raise UserError(f"{path}: refused, the process that reads its structure {describe_end(reply.code)}{last}")


def main(arguments: list[str]) -> int:
    """Open a weight file; the exit code is 2 with one line on stderr when it is refused."""
    path, expected_bytes = Path(arguments[0]), int(arguments[1])
    if sys.platform == "linux":
        import resource

        limit = path.stat().st_size + _EXTRA_MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    try:
        with open_weights(path, expected_bytes):
            return 0
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
