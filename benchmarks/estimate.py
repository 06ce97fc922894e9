"""The estimate of time that `sweep` prints before its first run, and the time taken, for two small lists.

    python benchmarks/estimate.py

Prints the seconds estimated and taken, and their ratio. The estimate measures the speed of the machine first, so other
work that starts or ends during the sweep changes the ratio.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DATA = "--data phantoms --backbones EfficientNet-Lite0 --epochs 3 --set data.phantoms.count=100".split()
LISTS = {
    "strategies": "fts --strategies lp ft lp_ft --rates 1e-3 --seeds 0 --image-size 96".split(),
    "heads": "grid176 --tasks breast --pretraining ImageNet --heads Linear NonLinear Conv --image-size 128".split(),
}


def measure(options: list[str], folder: Path) -> tuple[float, float]:
    """Run a sweep in an empty folder; returns the seconds estimated and taken."""
    command = [sys.executable, "-m", "keras_radtl.sweep", *options, *DATA, "--output", str(folder / "sweep")]
    environment = {**os.environ, "KERAS_RADTL_CACHE": str(folder / "cache")}
    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL, "text": True}
    estimate, started = 0.0, time.monotonic()
    with subprocess.Popen(command, env=environment, **pipes) as process:
        for line in process.stderr:
            if found := re.search(r"runs: about (\d+):(\d\d) on this machine", line):
                estimate, started = 60 * int(found[1]) + int(found[2]), time.monotonic()
    if process.returncode:
        raise SystemExit(f"the sweep failed: {' '.join(command)}")
    return estimate, time.monotonic() - started


def main() -> None:
    """Measure both lists."""
    for name, options in LISTS.items():
        with tempfile.TemporaryDirectory() as folder:
            estimate, taken = measure(options, Path(folder))
        print(f"{name}: {estimate:.0f} s estimated, {taken:.0f} s taken, ratio {taken / estimate:.2f}")


if __name__ == "__main__":
    main()
