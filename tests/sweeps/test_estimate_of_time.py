"""The estimate of time that the command prints before the first run: within a factor of two on two small lists."""

from __future__ import annotations

import re
import subprocess
import sys
import time

import pytest

DATA = "--data phantoms --backbones EfficientNet-Lite0 --epochs 3 --set data.phantoms.count=100".split()
LISTS = {
    "strategies": "fts --strategies lp ft lp_ft --rates 1e-3 --seeds 0 --image-size 96".split(),
    "heads": "grid176 --tasks breast --pretraining ImageNet --heads Linear NonLinear Conv --image-size 128".split(),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LISTS)
def test_the_estimate_is_within_a_factor_of_two(tmp_path, monkeypatch, name):
    monkeypatch.setenv("KERAS_RADTL_CACHE", str(tmp_path / "cache"))
    command = [sys.executable, "-m", "keras_radtl.sweep", *LISTS[name], *DATA, "--output", str(tmp_path / "sweep")]
    estimate, started = 0.0, 0.0
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        for line in process.stderr:
            if found := re.search(r"runs: about (\d+):(\d\d) on this machine", line):
                estimate, started = 60 * int(found[1]) + int(found[2]), time.monotonic()
    taken = time.monotonic() - started
    assert process.returncode == 0
    print(f"{estimate:.0f} s estimated, {taken:.0f} s taken")
    assert 0.5 < estimate / taken < 2
