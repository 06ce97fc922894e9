"""20 000 small images: the audit, a training and a prediction need less than 2 GB of memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

IMAGES, SIZE, LIMIT = 20_000, 32, 2e9  # bytes
TINY = Path(__file__).parents[1] / "tiny_backbone.py"
FIT = (
    "--backbone tiny --weights none --image-size 32 --head linear --unfreeze all --epochs 1 "
    "--batch-size 64 --schedule constant"
).split()
PEAK = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
unit = 1 if sys.platform == "darwin" else 1024
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit)  # the largest of its process and their children
sys.exit(code)
"""
PREDICT = """
import runpy, sys
runpy.run_path(sys.argv[1])["register"]()
from keras_radtl.predict import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Path:
    """Return a folder of 20 000 images in two class folders."""
    import cv2

    folder, random = tmp_path_factory.mktemp("many"), np.random.default_rng(0)
    pixels = random.integers(0, 256, (IMAGES, SIZE, SIZE), np.uint8)
    pixels[1::2, 8:20, 8:20] //= 3
    for name in "ab":
        (folder / name).mkdir()
    for i, image in enumerate(pixels):
        cv2.imwrite(f"{folder}/{'ab'[i % 2]}/{i:05d}.png", image, [cv2.IMWRITE_PNG_COMPRESSION, 0])
    return folder


def peak(*command: str) -> int:
    """Run Python in a new process; returns its peak resident memory in bytes."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, sys.executable, *command], env={**os.environ}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return int(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_memory_of_20000_images(many, tmp_path):
    run, table = str(tmp_path / "run"), str(tmp_path / "new.csv")
    peaks = {
        "audit": peak("-m", "keras_radtl.audit", str(many)),
        "fit": peak(str(TINY), *FIT, "--data", str(many), "--output", run),
        "predict": peak("-c", PREDICT, str(TINY), run, str(many), "--output", table),
    }
    print({name: f"{value / 1e9:.2f} GB" for name, value in peaks.items()})
    assert max(peaks.values()) < LIMIT, peaks
    assert len(Path(table).read_text().splitlines()) == IMAGES + 1
