"""Mixed precision: layers compute in 16 bits, weights and logits stay in 32; refused where the device gains nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import keras
import tensorflow as tf

from keras_radtl.config import UserError

_CPU_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # as Linux names them; the last one on ARM
_GPU_GENERATION = {"mixed_float16": (7, 0), "mixed_bfloat16": (8, 0)}  # compute capability of NVIDIA's tensor cores


@contextlib.contextmanager
def dtype_policy(precision: str) -> Iterator[None]:
    """Build layers under a Keras dtype policy, `float32`, `mixed_bfloat16` or `mixed_float16`, then restore the old."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def cpu_flags() -> set[str]:
    """Return the instruction sets that the processor lists; an empty set where the system has no /proc/cpuinfo."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {flag for line in lines if line.lower().startswith(("flags", "features")) for flag in line.split()}


def require_gain(precision: str, device: str = "auto") -> None:
    """Refuse a precision that makes nothing faster on the visible devices.

    Raises:
        UserError: with the reason.
    """
    if precision == "float32":
        return
    gpus = [] if device == "cpu" else tf.config.get_visible_devices("GPU")
    if gpus:
        _require_gpu(precision, tf.config.experimental.get_device_details(gpus[0]))
    elif precision == "mixed_float16":
        raise UserError("`precision` mixed_float16 is slower than float32 on a CPU, which has no float16 arithmetic")
    elif not cpu_flags() & _CPU_FLAGS:
        raise UserError("`precision` mixed_bfloat16 is slower than float32 on this CPU: no AVX512_BF16, no AMX")


def _require_gpu(precision: str, details: dict) -> None:
    capability, needed = details.get("compute_capability"), _GPU_GENERATION[precision]
    if capability is not None and tuple(capability) < needed:
        raise UserError(
            f"`precision` {precision} gains nothing on {details.get('device_name', 'this GPU')}: compute capability "
            f"{'.'.join(map(str, capability))}, and {'.'.join(map(str, needed))} is needed"
        )
