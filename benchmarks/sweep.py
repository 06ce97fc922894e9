"""The 11 heads x 2 schedules of the grid on one frozen backbone: one sweep compared with separate fits.

    python benchmarks/sweep.py                        (simulated images)
    python benchmarks/sweep.py --data FOLDER --positive malignant --separate 6 --json result.json

The sweep shares the activations of frozen layers; each fit is a separate process with --no-reuse. Both start with an
empty feature store. With --separate K only K fits, spread over the list, are measured and the total is extrapolated,
which the result states. By default a sweep saves neither models nor figures of its runs; with --same-files it saves
both, like the fits. The AUCs must be equal.
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

ROOT = Path(__file__).parents[1]


def run(arguments: list[str], cache: Path) -> float:
    """Run a command of the package in a child process and return its seconds."""
    environment = {**os.environ, "KERAS_RADTL_CACHE": str(cache), "PYTHONPATH": str(ROOT)}
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", *arguments], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return time.perf_counter() - start


def aucs(folder: Path) -> tuple[float, float]:
    """Return the validation and test AUC of a run."""
    metrics = json.loads((folder / "metrics.json").read_text())
    return metrics["val"]["auc"]["value"], metrics["test"]["auc"]["value"]


def main(argv=None) -> int:
    """Measure and print; returns 1 if an AUC differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="phantoms")
    parser.add_argument("--positive", default="malignant")
    parser.add_argument("--backbone", default="EfficientNet-Lite0")
    parser.add_argument("--image-size", type=int, default=256, help="default: that of the grid")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--separate", type=int, default=22, metavar="K", help="number of separate fits (default: all)")
    parser.add_argument("--same-files", action="store_true", help="let the sweep save models and figures")
    parser.add_argument("--json", type=Path, help="file for the result")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="keras_radtl-bench-") as folder:
        result = measure(arguments, Path(folder))
    print(json.dumps(result, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0 if result["equal_aucs"] else 1


def measure(arguments, folder: Path) -> dict:
    """Run the sweep and the fits and return the result."""
    sweep = [
        "keras_radtl.sweep",
        "grid176",
        "--tasks",
        "breast",
        "--data",
        arguments.data,
        "--positive",
        arguments.positive,
    ]
    sweep += ["--pretraining", "ImageNet", "--backbones", arguments.backbone, "--output", str(folder / "sweep")]
    sweep += ["--image-size", str(arguments.image_size), "--epochs", str(arguments.epochs)]
    sweep += ["--save-models", "--figures"] if arguments.same_files else []
    together = run(sweep, folder / "shared")
    plan = json.loads((folder / "sweep" / "plan.json").read_text())["runs"]
    count = min(arguments.separate, len(plan))
    chosen = [plan[round((i + 0.5) * len(plan) / count - 0.5)] for i in range(count)]
    seconds, differing = [], []
    for item in chosen:
        config = folder / "config.json"
        config.write_text(json.dumps(item["config"]))
        output = folder / "fits" / item["name"]
        fit = ["keras_radtl.fit", "--config", str(config), "--no-reuse", "--output", str(output)]
        seconds.append(run(fit, folder / "unused"))
        print(f"{item['name']}: {seconds[-1]:.1f} s alone", file=sys.stderr)
        if aucs(output) != aucs(folder / "sweep" / "runs" / item["name"]):
            differing.append(item["name"])
    apart = sum(seconds) / count * len(plan)
    return {
        "data": arguments.data,
        "runs": len(plan),
        "sweep_seconds": round(together, 1),
        "separate_seconds": round(apart, 1),
        "separate_measured": count,
        "extrapolated": count < len(plan),
        "ratio": round(apart / together, 2),
        "equal_aucs": not differing,
        "differing": differing,
    }


if __name__ == "__main__":
    sys.exit(main())
