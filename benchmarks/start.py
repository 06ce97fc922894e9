"""Seconds and peak memory of the first command of the README, with an empty feature store.

python benchmarks/start.py
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> int:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="keras_radtl-bench-") as folder:
        environment = {**os.environ, "KERAS_RADTL_CACHE": str(Path(folder) / "cache"), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "keras_radtl.fit", "--output", str(Path(folder) / "run")]
        started = time.perf_counter()
        subprocess.run(command, env=environment, check=True, capture_output=True)
        seconds = time.perf_counter() - started
        auc = json.loads((Path(folder) / "run" / "metrics.json").read_text())["test"]["auc"]
    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, kilobytes elsewhere
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
    print(json.dumps({"seconds": round(seconds, 1), "peak_gb": round(peak / 1e9, 2), "test_auc": auc["value"]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
