"""The table of strategies of the README: eight strategies on breast ultrasound images, three seeds, paired tests.

    python benchmarks/strategies.py --data BUSI --output FOLDER

The data are a folder of class folders of the Breast Ultrasound Images Dataset (Al-Dhabyani et al., 2020). Run the same
command again to resume. The tables are printed at the end and written to FOLDER.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

SWEEP = (
    "fts --positive malignant --backbones EfficientNet-Lite0 --image-size 64 --epochs 10 --rates 1e-3 "
    "--batchnorm inference"
).split()


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
