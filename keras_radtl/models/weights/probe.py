"""Read the structure of a weight file in a child process with limited time and memory.

A damaged or malicious file can crash the HDF5 library, which is written in C, or make it loop forever. If that happens
in the child process, the file is refused. The main process opens a file only after a child process has read it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from keras_radtl.config import UserError
from keras_radtl.models.weights.hdf5 import open_weights
from keras_radtl.system.child_process import ask, describe_end

TIMEOUT = 60.0  # seconds; InceptionResNetV2 takes 3 seconds on a slow machine
_EXTRA_MEMORY = 4 << 30  # bytes of address space besides the file; Python and its libraries use 1 GiB
_ONE_THREAD = dict.fromkeys(  # each thread reserves address space
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)


def probe_weights(path: Path, expected_bytes: int, timeout: float = TIMEOUT) -> None:
    """Require that a child process can open a weight file.

    Args:
        path: A regular file.
        expected_bytes: Size of the variables of the backbone as float32.
        timeout: Time limit in seconds.

    Raises:
        UserError: If `open_weights` fails in the child process, or the child process crashes or does not end.
    """
    arguments = ["-m", "keras_radtl.models.weights.probe", str(path), str(expected_bytes)]
    try:
        reply = ask(arguments, seconds=timeout, environment={**os.environ, **_ONE_THREAD})
    except TimeoutError:
        raise UserError(f"{path}: refused, reading its structure did not finish within {timeout:g} s") from None
    if reply.code == 2:
        raise UserError(reply.error.strip())
    if reply.code != 0:
        last = f": {reply.problem}" if reply.code > 0 and reply.error.strip() else ""
        raise UserError(f"{path}: refused, the process that reads it {describe_end(reply.code)}{last}")


def main(arguments: list[str]) -> int:
    """Open a weight file; return 0, or 2 after writing the reason to stderr."""
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
