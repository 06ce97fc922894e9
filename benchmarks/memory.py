"""Resident memory of a sweep of 30 runs: peak of the worker during each run, and its growth.

    python benchmarks/memory.py [--runs-per-process 32] [--json result.json]

Linux only, since it reads /proc. The runs are linear probes of equal size, for which equal memory is expected. Memory
is flat if the last ten runs need at most 10% more than runs 2 to 11.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
RATES = [f"{1e-4 * 1.3**i:.3g}" for i in range(15)]


def resident_bytes(parent: int) -> int:
    """Return the resident memory of all children of a process."""
    total = 0
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        try:
            pages = int(Path(f"/proc/{child}/statm").read_text().split()[1])
        except OSError:
            continue
        total += pages * os.sysconf("SC_PAGESIZE")
    return total


def main(argv=None) -> int:
    """Measure and print; returns 1 if memory is not flat."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs-per-process", type=int, default=32)
    parser.add_argument("--image-size", type=int, default=96)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="keras_radtl-bench-") as folder:
        peaks = measure(arguments, Path(folder))
    early, late = peaks[1:11], peaks[-10:]
    growth = max(late) / max(early) - 1
    result = {
        "runs": len(peaks),
        "runs_per_process": arguments.runs_per_process,
        "peak_mb": [round(p / 1e6) for p in peaks],
    }
    result |= {"growth_percent": round(100 * growth, 1), "flat": growth <= 0.10}
    print(json.dumps(result))
    if arguments.json:
        arguments.json.write_text(json.dumps(result) + "\n")
    return 0 if result["flat"] else 1


def measure(arguments, folder: Path) -> list[int]:
    """Run the sweep and return the peak of its worker during each run, in bytes."""
    command = [
        sys.executable,
        "-m",
        "keras_radtl.sweep",
        "fts",
        "--strategies",
        "lp",
        "--backbones",
        "EfficientNet-Lite0",
    ]
    command += [
        "--rates",
        *RATES,
        "--seeds",
        "0",
        "1",
        "--data",
        "phantoms",
        "--epochs",
        "2",
        "--output",
        str(folder / "sweep"),
    ]
    command += ["--image-size", str(arguments.image_size), "--runs-per-process", str(arguments.runs_per_process)]
    environment = {**os.environ, "KERAS_RADTL_CACHE": str(folder / "cache"), "PYTHONPATH": str(ROOT)}
    peaks, now = [], [0]
    with subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:

        def watch() -> None:
            while process.poll() is None:
                now[0] = max(now[0], resident_bytes(process.pid))
                time.sleep(0.05)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        for line in process.stderr:
            if line.startswith("["):
                peaks.append(now[0])
                now[0] = 0
    if process.returncode:
        raise SystemExit(f"the sweep ended with {process.returncode}")
    return peaks


if __name__ == "__main__":
    sys.exit(main())
