"""Pooled out-of-fold AUC on real images: frozen backbone with a linear head, and fine-tuning with a ConvSkip head.

    python benchmarks/real_images.py --data BUSI --output FOLDER

The data are a folder of class folders of the Breast Ultrasound Images Dataset (Al-Dhabyani et al., 2020). Both runs use
the same five folds. Run the same command again to resume. It prints a table in Markdown and the paired tests.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

COMMON = ["--positive", "malignant", "--folds", "5", "--image-size", "160", "--resume"]
RUNS = {
    "frozen_linear": "--unfreeze none --head linear --augment none --epochs 10 --lr 0.01".split(),
    "convskip": "--unfreeze top2 --head conv_skip --set model.head.filters=4 --epochs 8 --lr 0.0003".split(),
}


def main() -> None:
    """Train the runs that are not finished and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--output", required=True, type=Path)
    arguments = parser.parse_args()
    folders = [str(arguments.output / name) for name in RUNS]
    for folder, options in zip(folders, RUNS.values(), strict=True):
        command = ["-m", "keras_radtl.fit", "--data", arguments.data, "--output", folder, *COMMON, *options]
        subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
    print("| run | AUC | accuracy | sensitivity | specificity | AUC by fold |\n|---|---|---|---|---|---|")
    for folder in map(Path, folders):
        metrics = json.loads((folder / "metrics.json").read_text())["test"]
        cells = [metrics[name] for name in ("auc", "accuracy", "sensitivity", "specificity")]
        shown = [f"{m['value']:.3f} [{m['ci_low']:.3f}, {m['ci_high']:.3f}]" for m in cells]
        by_fold = ", ".join(f"{auc:.3f}" for auc in json.loads((folder / "summary.json").read_text())["fold_auc"])
        print(f"| {folder.name} | {' | '.join(shown)} | {by_fold} |")
    subprocess.run(
        [sys.executable, "-m", "keras_radtl.compare", *folders, "--output", str(arguments.output)], check=True
    )


if __name__ == "__main__":
    main()
