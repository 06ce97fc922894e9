"""Faults in a copy of the package are found by the tests that `planted_faults.py` and CONTRIBUTING.md name."""

from __future__ import annotations

import pytest
from planted_faults import FAULTS, REPOSITORY, copy_package, plant, run_tests


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_fault_can_be_planted_and_its_tests_exist(fault):
    source = REPOSITORY / "keras_radtl" / fault.file
    assert source.read_text(encoding="utf-8").count(fault.old) == 1
    assert fault.old not in fault.new or fault.new.startswith(fault.old)
    for name in fault.tests:
        file, function = name.partition("[")[0].split("::")
        assert f"\ndef {function}(" in (REPOSITORY / "tests" / file).read_text(encoding="utf-8")


def test_the_faults_are_listed_for_contributors():
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for fault in FAULTS:
        file, function = fault.tests[0].partition("[")[0].split("::")
        assert f"| {fault.name} | `{fault.file}` | `{file}`: `{function}` |" in text


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault_is_found_by_every_test_named_for_it(fault, tmp_path):
    copy_package(tmp_path)
    plant(fault, tmp_path)
    found = run_tests(tmp_path, fault.tests)
    lines = found.stdout.splitlines()
    assert found.returncode == pytest.ExitCode.TESTS_FAILED, found.stdout + found.stderr
    for name in fault.tests:
        assert any(line.startswith(f"FAILED tests/{name}") for line in lines), found.stdout


@pytest.mark.slow
def test_the_same_tests_pass_without_a_fault(tmp_path):
    copy_package(tmp_path)
    found = run_tests(tmp_path, tuple(dict.fromkeys(name for fault in FAULTS for name in fault.tests)))
    assert found.returncode == pytest.ExitCode.OK, found.stdout + found.stderr
