"""Read the structure of a weight file in a child process first, with bounded time and memory.

The HDF5 library is written in C, and a damaged or crafted file can make it crash or turn in circles. A child process
that dies or hangs costs an error message; the process that trains never opens a file that its child did not survive.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from keras_radtl.config import UserError
from keras_radtl.models.weights.hdf5 import open_weights

SECONDS = 60.0  # InceptionResNetV2 takes 3 on a slow machine
_EXTRA_MEMORY = 4 << 30  # bytes of address space beside the file itself; Python and its libraries reserve one
_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")  # for the same


def probe_weights(path: Path, expected_bytes: int, seconds: float = SECONDS) -> None:
    """Raise what `open_weights` would raise for a file, and also when opening it crashes or does not end.

    Args:
        path: regular file.
        expected_bytes: int, size of the backbone's variables as float32.
        seconds: float, time limit.
    Raises:
        UserError: when the file is refused, or the child process does not come back.
    """
    package_root = str(Path(__file__).parents[3])
    search_path = os.pathsep.join(filter(None, (package_root, os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "keras_radtl.models.weights.probe", str(path), str(expected_bytes)]
    environment = {**os.environ, **_ONE_THREAD, "PYTHONPATH": search_path}
    try:
        child = subprocess.run(command, capture_output=True, text=True, timeout=seconds, env=environment)
    except subprocess.TimeoutExpired:
        raise UserError(f"{path}: refused, reading its structure does not end (after {seconds:g} s)") from None
    if child.returncode == 2:
        raise UserError(child.stderr.strip())
    if child.returncode != 0:
        last = (child.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(f"{path}: refused, reading its structure fails (exit code {child.returncode}: {last})")


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
