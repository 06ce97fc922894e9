"""The README's table of strategies: all eight on a folder of breast ultrasound images, three seeds, with paired tests.

    python benchmarks/strategies.py --data BUSI --output FOLDER

The data are a folder of class folders of the Breast Ultrasound Images Dataset (Al-Dhabyani et al., 2020). The same command
goes on where it was stopped; the tables stand at its end and in FOLDER.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

SWEEP = "fts --positive malignant --backbones EfficientNet-Lite0 --image-size 64 --epochs 10 --rates 1e-3".split()


def main() -> int:
    """Run the sweep; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--output", required=True)
    arguments = parser.parse_args()
    command = ["-m", "keras_radtl.sweep", *SWEEP, "--data", arguments.data, "--output", arguments.output]
    return subprocess.run([sys.executable, *command], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
