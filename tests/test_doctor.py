"""The doctor's exit code and what it writes."""

from __future__ import annotations

import pytest

from keras_radtl import doctor
from keras_radtl.diagnostics import checks as diagnosis
from keras_radtl.diagnostics.checks import Finding

FOUND = {"tensorflow": "2.21.0", "keras": "3.15.1", "backend": "tensorflow", "devices": ["Card"], "differences": {}}


@pytest.fixture
def machine(monkeypatch):
    """Return a function that sets what the child process tells; versions, weights and resources are fine."""
    monkeypatch.setattr(diagnosis, "check_resources", lambda folder: [Finding("disk", "9.0 GB free")])
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    return lambda found, said="": monkeypatch.setattr(diagnosis, "probe_devices", lambda environment: (found, said))


def test_a_sound_machine(machine, capsys):
    machine(FOUND | {"differences": {"GPU:0": 2e-4}})
    assert doctor.main([]) == 0
    text = capsys.readouterr().out
    assert "GPU:0: 8 images differ from the CPU by 2.0e-04" in text and text.endswith("no problems\n")


def test_a_device_that_computes_wrongly(machine, capsys):
    machine(FOUND | {"differences": {"GPU:0": 0.3}})
    assert doctor.main([]) == 1
    assert "-> This device gives wrong results: use --device cpu" in capsys.readouterr().out


def test_a_broken_plugin(machine, capsys, monkeypatch):
    machine(None, "Traceback (most recent call last):\nNotFoundError: dlopen(libmetal_plugin.dylib): Symbol not found")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert doctor.main([]) == 1
    text = capsys.readouterr().out
    assert "PROBLEM  import" in text and "pip uninstall tensorflow-metal" in text and "Traceback" not in text
    assert "PROBLEM  KERAS_BACKEND" in text and text.endswith("2 problems\n")


def test_the_folder_of_weights_is_an_option(machine, capsys, tmp_path):
    machine(FOUND)
    assert doctor.main(["--weights-dir", str(tmp_path)]) == 1
    assert f"RadImageNet in {tmp_path}: none" in capsys.readouterr().out
