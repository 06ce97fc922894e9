"""A context manager for the process-wide settings of a training, which restores them on exit."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import NamedTuple

from keras_radtl.reproducibility import import_tensorflow, prepare
from keras_radtl.runs.interrupt import StopRequest


class TrainingSession(NamedTuple):
    """The device of a training, and its signals.

    Attributes:
        device: Description such as `CPU, 2 threads`.
        stop: Records Ctrl-C and SIGTERM.
    """

    device: str
    stop: StopRequest


@contextlib.contextmanager
def training_session(seed: int, device: str, deterministic: bool) -> Iterator[TrainingSession]:
    """Set seeds, determinism, graph options, device and signal handlers; restore all of them on exit.

    A training in a notebook therefore changes neither the random states of Python, NumPy and TensorFlow, nor op
    determinism, the Keras session (layer name counters, dtype policy) or the signal handlers.

    Args:
        seed: Seed in [0, 2^31).
        device: `auto`, `cpu` or `gpu`; `cpu` places all operations on the CPU.
        deterministic: Whether the same run gives the same bits on one machine.
    Raises:
        UserError: If `device` is `gpu` and TensorFlow finds no GPU.
        Stopped: after Ctrl-C or SIGTERM, until `stop.defer()` is called.
    """
    with StopRequest(True, "stopped before training began; run the same command again") as stop, _preserved():
        described = prepare(seed, device, deterministic)
        with import_tensorflow().device("CPU:0") if device == "cpu" else contextlib.nullcontext():
            yield TrainingSession(described, stop)


@contextlib.contextmanager
def _preserved() -> Iterator[None]:
    tf = import_tensorflow()
    import numpy as np
    from tensorflow.python.eager import context
    from tensorflow.python.framework import config

    from keras_radtl.models.keras_internals import isolated_session

    python, numpy, tensorflow = random.getstate(), np.random.get_state(), context.global_seed()
    deterministic, options = config.is_op_determinism_enabled(), tf.config.optimizer.get_experimental_options()
    try:
        with isolated_session():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        context.set_global_seed(tensorflow)
        if not deterministic:
            config.disable_op_determinism()
        arithmetic = options.get("arithmetic_optimization", True)
        tf.config.optimizer.set_experimental_options({"arithmetic_optimization": arithmetic})
