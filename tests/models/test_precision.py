"""Dtype policies are set and restored, and refused on devices where they would be slower."""

from __future__ import annotations

import keras
import pytest

from keras_radtl.config import UserError
from keras_radtl.models import precision


@pytest.fixture
def device(monkeypatch):
    """Return a function that simulates a CPU with given features, or a GPU with given details."""

    def simulate(cpu_flags=(), gpu=None):
        monkeypatch.setattr(precision, "cpu_flags", lambda: set(cpu_flags))
        monkeypatch.setattr(precision.tf.config, "get_visible_devices", lambda kind: [] if gpu is None else ["gpu"])
        monkeypatch.setattr(precision.tf.config.experimental, "get_device_details", lambda device: gpu)

    return simulate


@pytest.mark.parametrize("name", ["mixed_bfloat16", "mixed_float16"])
def test_the_dtype_policy_is_restored_even_after_an_error(name):
    before = keras.config.dtype_policy().name
    with pytest.raises(RuntimeError), precision.dtype_policy(name):
        assert keras.layers.Dense(1).compute_dtype == name.removeprefix("mixed_")
        raise RuntimeError
    assert keras.config.dtype_policy().name == before


def test_float32_is_always_accepted(device):
    device()
    precision.require_speedup("float32")


def test_a_cpu_needs_bfloat16_instructions(device):
    device(cpu_flags=["sse4_2", "amx_bf16"])
    precision.require_speedup("mixed_bfloat16")
    with pytest.raises(UserError, match="`precision='mixed_float16'` is slower than float32 on a CPU"):
        precision.require_speedup("mixed_float16")
    device(cpu_flags=["sse4_2", "avx2"])
    with pytest.raises(UserError, match="`precision='mixed_bfloat16'` is slower than float32 on this CPU"):
        precision.require_speedup("mixed_bfloat16")


def test_a_gpu_needs_tensor_cores(device):
    device(gpu={"device_name": "Card", "compute_capability": (7, 5)})
    precision.require_speedup("mixed_float16")
    with pytest.raises(UserError, match="not faster than float32 on Card, which has compute capability 7.5; 8.0 is"):
        precision.require_speedup("mixed_bfloat16")
    device(gpu={})  # Metal does not report a compute capability
    precision.require_speedup("mixed_bfloat16")


def test_the_gpu_is_ignored_on_request(device):
    device(gpu={"compute_capability": (9, 0)})
    with pytest.raises(UserError, match="slower than float32 on a CPU"):
        precision.require_speedup("mixed_float16", device="cpu")
