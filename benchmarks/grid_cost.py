"""The duration of the 176 runs of the grid on this machine, with and without shared activations, extrapolated.

    python benchmarks/grid_cost.py [--images 100] [--json result.json]

A part is measured: some heads on a frozen ResNet50 and DenseNet121 with random weights at 256 pixels, on simulated
images, in one sweep with reuse and one without. The total is the estimate that `sweep` prints before it starts, for 780
and 1021 images, multiplied by the ratio of measured and estimated time of the part.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from keras_radtl.studies.table import get_study
from keras_radtl.sweep import choices_from, parser
from keras_radtl.sweeps.estimate import run_seconds
from keras_radtl.sweeps.execute import order_runs
from keras_radtl.sweeps.speed import measure_speed
from keras_radtl.sweeps.sweep import list_runs

ROOT = Path(__file__).parents[1]
IMAGES = {"breast": 780, "acl": 1021}  # numbers of images in the study
PART = "--tasks breast --data phantoms --pretraining none --schedules cosine --heads Linear NonLinear".split()
PER_PROCESS = 32  # default of `sweep`


def measure(images: int, reuse: bool, folder: Path) -> float:
    """Run the part and return its seconds."""
    command = [sys.executable, "-m", "keras_radtl.sweep", "grid176", *PART, "--output", str(folder / f"sweep{reuse}")]
    command += ["--set", f"data.phantoms.count={images}", *([] if reuse else ["--no-reuse"])]
    environment = {**os.environ, "KERAS_RADTL_CACHE": str(folder / "cache"), "PYTHONPATH": str(ROOT)}
    started = time.perf_counter()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return time.perf_counter() - started


def listed(*options: str) -> list:
    """Return runs of the grid in the order in which a sweep executes them."""
    study = get_study("grid176")
    return order_runs(list_runs(study, choices_from(parser(study).parse_args(["grid176", *options]), study)))


def main(argv=None) -> int:
    """Measure, extrapolate and print."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--images", type=int, default=100, help="number of images of the measured part")
    options.add_argument("--json", type=Path, help="file for the result")
    arguments = options.parse_args(argv)
    part = listed(*PART)
    whole = {
        task: listed("--tasks", task, "--data", "phantoms", "--pretraining", "none", "imagenet") for task in IMAGES
    }
    speed = measure_speed(run.config for runs in (part, *whole.values()) for run in runs)
    result = {"seconds_per_image": {word: round(value, 4) for word, value in speed.image.items()}}
    with tempfile.TemporaryDirectory(prefix="keras_radtl-bench-") as folder:
        for reuse in (True, False):
            estimated = run_seconds(part, arguments.images, speed, reuse, PER_PROCESS)
            measured = measure(arguments.images, reuse, Path(folder))
            parts = (run_seconds(whole[task], images, speed, reuse, PER_PROCESS) for task, images in IMAGES.items())
            hours = sum(parts) * measured / estimated / 3600
            result["with reuse" if reuse else "without"] = {
                "part_runs": len(part), "part_seconds": round(measured, 1), "part_estimated": round(estimated, 1),
                "whole_runs": sum(map(len, whole.values())), "whole_hours": round(hours, 2),
            }  # fmt: skip
    result["ratio"] = round(result["without"]["whole_hours"] / result["with reuse"]["whole_hours"], 1)
    print(json.dumps(result, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
