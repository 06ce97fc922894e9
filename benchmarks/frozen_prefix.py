"""Seconds per epoch for the last stage of a ResNet50: whole model compared with stored activations.

    python benchmarks/frozen_prefix.py [--data FOLDER --positive malignant] [--weights imagenet]

Three fits with the same images, seed and augmentation: without reuse; with an empty feature store; and with another
learning rate and the filled store, like the later runs of a search. The first epoch of each fit, which includes the
compilation, is excluded.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
_EPOCH = re.compile(r"epoch (\d+)/\d+ .* ([\d.]+) s  left")


def epoch_seconds(options: list[str], output: Path, cache: Path) -> list[float]:
    """Run a fit and return the seconds of each epoch from its log."""
    command = [sys.executable, "-m", "keras_radtl.fit", *options, "--output", str(output)]
    environment = {**os.environ, "KERAS_RADTL_CACHE": str(cache), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return [float(seconds) for _, seconds in _EPOCH.findall(done.stderr)]


def main(argv=None) -> int:
    """Measure and print; returns 1 when the predictions of the first two fits differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="phantoms")
    parser.add_argument("--positive", default="malignant")
    parser.add_argument("--weights", default="none")
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=4)
    arguments = parser.parse_args(argv)
    options = [
        "--data",
        arguments.data,
        "--positive",
        arguments.positive,
        "--backbone",
        "resnet50",
        "--weights",
        arguments.weights,
    ]
    options += ["--unfreeze", "top1", "--image-size", str(arguments.image_size), "--epochs", str(arguments.epochs)]
    options += ["--head", "linear", "--batch-size", "32"]
    with tempfile.TemporaryDirectory(prefix="keras_radtl-bench-") as place:
        folder, cache = Path(place), Path(place) / "cache"
        whole = epoch_seconds([*options, "--lr", "1e-4", "--no-reuse"], folder / "whole", cache)
        filling = epoch_seconds([*options, "--lr", "1e-4"], folder / "filling", cache)
        filled = epoch_seconds([*options, "--lr", "3e-4"], folder / "filled", cache)
        equal = (folder / "whole" / "predictions_test.csv").read_bytes() == (
            folder / "filling" / "predictions_test.csv"
        ).read_bytes()
    means = {
        name: sum(times[1:]) / len(times[1:])
        for name, times in (("whole", whole), ("filling", filling), ("filled", filled))
    }
    result = {f"{name}_seconds_an_epoch": round(mean, 2) for name, mean in means.items()}
    result |= {"ratio_filled": round(means["whole"] / means["filled"], 2), "equal_predictions": equal}
    print(json.dumps(result, indent=2))
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
