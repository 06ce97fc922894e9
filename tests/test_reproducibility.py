"""Seeds, devices, and the record of the environment, which contains no personal data."""

from __future__ import annotations

import getpass
import json
import os
import platform
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from keras_radtl.config import UserError
from keras_radtl.reproducibility import derive_seed, environment, prepare


def test_seeds_do_not_depend_on_the_process():
    code = (
        "import sys; from keras_radtl.reproducibility import derive_seed; "
        "print(derive_seed(3, 'weights', 1), 'tensorflow' in sys.modules)"
    )
    for hash_seed in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == f"{derive_seed(3, 'weights', 1)} False\n"


def test_seed_depends_on_all_parts_and_their_order():
    seeds = {derive_seed(*parts) for parts in [(0,), (1,), (0, 0), (0, 1), (1, 0), ("a", "b"), ("b", "a"), ("ab",)]}
    assert len(seeds) == 8


def test_seeds_are_uniform_in_31_bits():
    seeds = np.array([derive_seed(0, i) for i in range(4000)])
    assert 0 <= seeds.min() and seeds.max() < 2**31
    counts = np.bincount(seeds >> 28, minlength=8)
    assert np.abs(counts - 500).max() < 5 * np.sqrt(500)


def test_prepare_seeds_python_numpy_and_tensorflow():
    import tensorflow as tf

    def draws():
        assert prepare(5, "cpu", deterministic=True) == f"CPU, {os.cpu_count()} threads"
        return random.random(), np.random.random(), float(tf.random.uniform(()))

    assert draws() == draws()


def test_missing_gpu_is_an_error(monkeypatch):
    import tensorflow as tf

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    with pytest.raises(UserError, match="TensorFlow found no GPU"):
        prepare(0, "gpu", deterministic=True)


def test_other_keras_backend_is_an_error(monkeypatch):
    import keras

    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(UserError, match="KERAS_BACKEND=jax"):
        prepare(0, "cpu", deterministic=True)


def test_environment_has_no_host_user_or_path():
    record = environment("CPU, 2 threads")
    assert record["packages"]["numpy"] == np.__version__ and record["device"] == "CPU, 2 threads"
    text = json.dumps(record)
    secrets = {platform.node(), getpass.getuser(), str(Path.home()), os.getcwd()} - {"", "root", "/"}
    assert not [secret for secret in secrets if secret in text]


def test_absent_package_has_version_none(monkeypatch):
    from keras_radtl import reproducibility

    monkeypatch.setattr(reproducibility, "PACKAGES", ("no-such-package",))
    assert environment("CPU")["packages"] == {"no-such-package": None}
