"""Seeds, determinism, devices and a record of the environment."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import platform
import sys
from collections.abc import Iterator
from importlib import metadata

from keras_radtl.config import UserError
from keras_radtl.version import __version__

PACKAGES = (
    "tensorflow",
    "keras",
    "numpy",
    "scipy",
    "scikit-learn",
    "statsmodels",
    "opencv-python-headless",
    "pillow",
    "matplotlib",
)


def derive_seed(*parts) -> int:
    """Return a seed in [0, 2^31) that is determined by `parts` and is the same in all processes."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:4], "little") >> 1


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Discard what native code writes to stderr; exceptions are raised as usual."""
    sys.stderr.flush()
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


def import_tensorflow():
    """Import TensorFlow without its messages about missing devices and repeated tracing; returns the module."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "tensorflow" not in sys.modules:
        with _quiet_stderr():
            import tensorflow  # noqa: F401
        logging.getLogger("tensorflow").addFilter(_is_not_about_tracing)  # each phase and fold is traced once
    return sys.modules["tensorflow"]


def _is_not_about_tracing(record: logging.LogRecord) -> bool:
    return "triggered tf.function retracing" not in record.getMessage()


def prepare(seed: int, device: str, deterministic: bool) -> str:
    """Set the global seeds, op determinism and graph options; call it before the first tensor is created.

    Args:
        seed: Seed in [0, 2^31) of Python, NumPy and TensorFlow.
        device: `auto`, `cpu` or `gpu`.
        deterministic: Whether the same run gives the same bits on one machine; slightly slower on a GPU.
    Returns:
        A description of the device, such as `CPU, 2 threads`.
    Raises:
        UserError: If `device` is `gpu` and TensorFlow finds no GPU, or if Keras has another backend.
    """
    tf = import_tensorflow()
    import keras

    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise UserError(
            f"keras_radtl needs the TensorFlow backend of Keras; unset KERAS_BACKEND. Received: KERAS_BACKEND={backend}"
        )
    gpus = [] if device == "cpu" else tf.config.list_physical_devices("GPU")
    if device == "gpu" and not gpus:
        raise UserError("TensorFlow found no GPU; use `device='cpu'` or `device='auto'`")
    # It reorders additions differently in a whole model and in its upper part, so that reuse would change the bits.
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})
    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        return details.get("device_name", gpus[0].name)
    return f"CPU, {os.cpu_count()} threads"


def environment(device: str) -> dict:
    """Return the versions and the platform of a run, without host name, user name or paths."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "keras_radtl": __version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "device": device,
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS"),
        "byteorder": sys.byteorder,
        "packages": versions,
    }
