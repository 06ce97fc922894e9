"""Mixed precision: layers compute in 16 bits, weights and logits stay float32.

A dtype policy that would not be faster on the device is refused.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import keras
import tensorflow as tf

from keras_radtl.config import UserError

_CPU_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # names in /proc/cpuinfo; the last one is for ARM
_GPU_GENERATION = {"mixed_float16": (7, 0), "mixed_bfloat16": (8, 0)}  # compute capability of NVIDIA's tensor cores


@contextlib.contextmanager
def dtype_policy(precision: str) -> Iterator[None]:
    """Set a Keras dtype policy ("float32", "mixed_bfloat16" or "mixed_float16") for the duration of a `with` block."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def cpu_flags() -> set[str]:
    """Return the CPU features in /proc/cpuinfo; an empty set on systems without this file."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {flag for line in lines if line.lower().startswith(("flags", "features")) for flag in line.split()}


def require_speedup(precision: str, device: str = "auto") -> None:
    """Require that a dtype policy can be faster than float32 on the visible devices.

    Args:
        precision: "float32", "mixed_bfloat16" or "mixed_float16".
        device: "auto", or "cpu" to ignore GPUs.

    Raises:
        UserError: If it cannot be faster, with the reason.
    """
    if precision == "float32":
        return
    gpus = [] if device == "cpu" else tf.config.get_visible_devices("GPU")
    if gpus:
        _require_gpu(precision, tf.config.experimental.get_device_details(gpus[0]))
    elif precision == "mixed_float16":
        raise UserError("`precision='mixed_float16'` is slower than float32 on a CPU, which has no float16 arithmetic")
    elif not cpu_flags() & _CPU_FLAGS:
        raise UserError(
            "`precision='mixed_bfloat16'` is slower than float32 on this CPU, which has neither AVX512_BF16 nor AMX"
        )


def _require_gpu(precision: str, details: dict) -> None:
    capability, needed = details.get("compute_capability"), _GPU_GENERATION[precision]
    if capability is not None and tuple(capability) < needed:
        raise UserError(
            f"`precision={precision!r}` is not faster than float32 on {details.get('device_name', 'this GPU')}, "
            f"which has compute capability {'.'.join(map(str, capability))}; {'.'.join(map(str, needed))} is needed"
        )
