"""The settings of the process are restored after a training."""

from __future__ import annotations

import os
import random
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_radtl.runs.interrupt import Stopped
from keras_radtl.training.session import training_session


def state():
    from tensorflow.python.eager import context
    from tensorflow.python.framework import config

    return (
        random.getstate(),
        np.random.get_state()[1].tolist(),
        context.global_seed(),
        config.is_op_determinism_enabled(),
        tf.config.optimizer.get_experimental_options().get("arithmetic_optimization", True),
        keras.config.dtype_policy().name,
        signal.getsignal(signal.SIGINT),
        signal.getsignal(signal.SIGTERM),
    )


@pytest.fixture
def plain_process():
    """Disable the op determinism of other tests in this process."""
    from tensorflow.python.framework import config

    deterministic = config.is_op_determinism_enabled()
    config.disable_op_determinism()
    yield
    if deterministic:
        tf.config.experimental.enable_op_determinism()


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_settings_are_restored(plain_process, device):
    tf.random.set_seed(5)
    before = state()
    with training_session(7, device, deterministic=True) as session:
        assert session.device.startswith("CPU, ") and state()[3:5] == (True, False)
        keras.backend.clear_session()
        random.random(), np.random.random()
        keras.config.set_dtype_policy("mixed_bfloat16")
    assert state() == before


def test_settings_are_restored_after_an_error(plain_process):
    before = state()
    with pytest.raises(ZeroDivisionError), training_session(7, "cpu", deterministic=True):
        raise ZeroDivisionError
    assert state() == before


def test_signal_raises_until_deferred():
    with pytest.raises(Stopped, match="stopped before training began") as stop:
        with training_session(0, "cpu", deterministic=False):
            os.kill(os.getpid(), signal.SIGTERM)
    assert stop.value.code == 143
    with training_session(0, "cpu", deterministic=False) as session:
        session.stop.defer()
        os.kill(os.getpid(), signal.SIGTERM)
        assert session.stop.code == 143
