"""The self-test of a device against the CPU, with devices that give wrong results."""

from __future__ import annotations

import numpy as np
import pytest

from keras_radtl.diagnostics.device_probe import TOLERANCE, compute, differences, make_numbers


def bad(kind):
    """Return a stub that computes correctly on the CPU only."""

    def run(device):
        right = compute("CPU:0")
        if device == "CPU:0" or kind == "good":
            return right
        if kind == "noisy":
            return right * (1 + 1e-3)
        if kind == "wrong":
            return right + 0.1 * np.abs(right).max()
        if kind == "not finite":
            return np.full_like(right, np.nan)
        raise RuntimeError("Could not find device for node:\nRngReadAndSkip")

    return run


@pytest.mark.parametrize(("kind", "low", "high"), [("good", 0, 0), ("noisy", 5e-4, 2e-3), ("wrong", TOLERANCE, 1)])
def test_a_device_is_compared_with_the_cpu(kind, low, high):
    assert low <= differences(bad(kind), ["GPU:0"])["GPU:0"] <= high


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("not finite", "values that are not finite"), ("missing", "Could not find device for node: RngReadAndSkip")],
)
def test_a_device_without_results_is_reported_with_the_reason(kind, reason):
    assert differences(bad(kind), ["GPU:0"]) == {"GPU:0": reason}


def test_the_self_test_covers_logits_and_every_gradient():
    numbers = make_numbers()
    assert len(numbers["images"]) == 8
    size = 8 * 2 + sum(numbers[name].size for name in ("convolution", "depthwise", "dense"))
    result = compute("CPU:0")
    assert result.shape == (size,) and np.isfinite(result).all() and (result != 0).mean() > 0.9
