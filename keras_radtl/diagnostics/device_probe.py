"""Version, devices and self-test of TensorFlow, written as JSON by a process of its own.

This file is run as a script and imports nothing from the package, so that a TensorFlow that cannot be imported or that
crashes affects this process only.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable

TOLERANCE = 1e-2  # relative to the largest value; TensorFloat-32 of GPUs differs by about 1e-3
IMAGES = 8


def make_numbers():
    """Return the images, kernels and targets of the self-test, by name; they are always the same."""
    import numpy as np

    random = np.random.default_rng(0)
    shapes = {"images": (IMAGES, 32, 32, 3), "convolution": (3, 3, 3, 16), "depthwise": (3, 3, 16, 1), "dense": (16, 2)}
    numbers = {name: random.normal(0, 0.5, shape).astype("float32") for name, shape in shapes.items()}
    return {**numbers, "targets": np.arange(IMAGES, dtype="int32") % 2}


def compute(device: str):
    """Return the logits and all gradients of a small network on one device, as one float32 vector.

    Args:
        device: Name such as `GPU:0`.
    """
    import tensorflow as tf

    with tf.device(device):
        numbers = {name: tf.constant(values) for name, values in make_numbers().items()}
        kernels = [numbers[name] for name in ("convolution", "depthwise", "dense")]
        with tf.GradientTape() as tape:
            tape.watch(kernels)
            x = tf.nn.conv2d(numbers["images"], kernels[0], strides=2, padding="SAME")
            mean, variance = tf.nn.moments(x, axes=[0, 1, 2])
            x = tf.nn.relu6(tf.nn.batch_normalization(x, mean, variance, None, None, 1e-3))
            x = tf.nn.depthwise_conv2d(x, kernels[1], strides=[1, 1, 1, 1], padding="SAME")
            logits = tf.matmul(tf.reduce_mean(x, axis=[1, 2]), kernels[2])
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(numbers["targets"], logits)
        parts = [logits, *tape.gradient(loss, kernels)]
        return tf.concat([tf.reshape(part, [-1]) for part in parts], axis=0).numpy()


def differences(run: Callable, devices: Iterable[str], reference: str = "CPU:0") -> dict[str, float | str]:
    """Compare devices with a reference device.

    Args:
        run: Function from the name of a device to a vector of numbers.
        devices: Names such as `GPU:0`.
        reference: Device to compare with.
    Returns:
        By device, the largest difference relative to the largest value of the reference, or why the device failed.
    """
    import numpy as np

    expected = np.asarray(run(reference), np.float64)
    found: dict[str, float | str] = {}
    for device in devices:
        try:
            result = np.asarray(run(device), np.float64)
        except Exception as error:  # a missing kernel raises many types
            found[device] = " ".join(str(error).split())[:300] or type(error).__name__
            continue
        difference = np.abs(result - expected).max() / np.abs(expected).max()
        found[device] = float(difference) if np.isfinite(difference) else "values that are not finite"
    return found


def probe() -> dict:
    """Return versions, backend, devices and the self-test of each accelerator."""
    import tensorflow as tf

    found = {"tensorflow": tf.__version__, "cuda_build": tf.test.is_built_with_cuda()}
    import keras

    found |= {"keras": keras.__version__, "backend": keras.backend.backend()}
    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    found["devices"] = [d.get("device_name", gpu.name) for d, gpu in zip(details, gpus, strict=True)]
    found["differences"] = differences(compute, [f"GPU:{number}" for number in range(len(gpus))])
    return found


if __name__ == "__main__":
    sys.stdout.write("\n" + json.dumps(probe()) + "\n")
