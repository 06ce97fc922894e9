"""Ten faults to plant in a copy of the package, each with the tests that must find it.

The faults are silent: with them the package imports, trains and writes its results without an error.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
SECONDS = 300  # for the tests of a fault on a busy machine

# A copy that is not imported is an error of the runner, and not a failed test.
PYTEST = """
import sys
from pathlib import Path

import keras_radtl
import pytest

if not Path(keras_radtl.__file__).is_relative_to(Path.cwd()):
    sys.exit(f"{keras_radtl.__file__} is not in the copy")
sys.exit(pytest.main(sys.argv[1:]))
"""


@dataclass(frozen=True)
class Fault:
    """One edit of the source.

    Attributes:
        name: what is wrong then.
        file: in `keras_radtl/`.
        old: text that is in the file once.
        new: text that replaces it.
        tests: ids of the tests below `tests/` that must fail; without brackets, some case of the test must.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


FAULTS = (
    Fault(
        "a swapped label order",
        "data/table.py",
        "enumerate(classes)}",
        "enumerate(reversed(classes))}",
        ("data/sources/test_folder.py::test_class_folders",),
    ),
    Fault(
        "a test case in training",
        "data/split.py",
        "return Split(fold, rest[parts == 0], rest[parts == 1], test)",
        "return Split(fold, np.sort(np.append(rest[parts == 0], test[0])), rest[parts == 1], test)",
        ("data/test_split.py::test_parts_are_disjoint_and_complete_and_do_not_divide_groups",),
    ),
    Fault(
        "a frozen layer that moves",
        "training/phase_loop.py",
        "set_trainable(model, phase.layers)",
        "set_trainable(model, {layer.name for layer in model.layers})",
        ("training/test_phase_loop.py::test_only_trainable_weights_change_in_each_phase[lp_ft]",),
    ),
    Fault(
        "an interval of half width",
        "stats/proportions.py",
        "value + z**2 / (2 * n), z * np.sqrt(",
        "value + z**2 / (2 * n), z / 2 * np.sqrt(",
        (
            "stats/test_proportions.py::test_without_groups_it_is_wilsons_interval",
            "stats/test_proportions.py::test_it_is_wilsons_interval_of_the_effective_number_of_cases",
        ),
    ),
    Fault(
        "a lost last batch",
        "training/phase_loop.py",
        "math.ceil(len(self.order) / self.plan.training.batch_size)",
        "len(self.order) // self.plan.training.batch_size",
        ("training/test_batch_sources.py::test_unaugmented_epochs_share_one_set",),
    ),
    Fault(
        "a NaN passed on",
        "runs/inference.py",
        "np.isfinite(logits).all(axis=1)",
        "np.isfinite(logits).any(axis=1)",
        ("runs/test_results.py::test_logits_that_are_not_finite_name_the_case",),
    ),
    Fault(
        "a group split",
        "data/split.py",
        "merge_groups(table.groups, clusters)",
        "merge_groups(table.cases, clusters)",
        (
            "data/test_split.py::test_three_large_groups_of_a_class_are_in_three_parts",
            "data/test_split.py::test_validation_cases_of_predefined_folds_are_drawn_from_train",
        ),
    ),
    Fault(
        "a wrong channel order",
        "models/layers/scalings.py",
        '"caffe": Scaling(True,',
        '"caffe": Scaling(False,',
        ("models/layers/test_pixel_scaling.py::test_scaled_pixels_equal_the_original_preprocessing",),
    ),
    Fault(
        "a stale feature store",
        "training/batch_sources.py",
        '"weights": digest.hexdigest()',
        '"weights": ""',
        ("training/test_batch_sources.py::test_key_depends_on_frozen_weights_but_not_on_the_learning_rate",),
    ),
    Fault(
        "a resumed epoch skipped",
        "training/phase_loop.py",
        "state, changed, optimizer = saved\n",
        "state, changed, optimizer = saved\n        state.epoch += 1\n",
        ("training/test_train.py::test_interrupted_run_resumes_to_the_same_bits[lp_ft]",),
    ),
)


def copy_package(folder: Path) -> None:
    """Copy the package and its tests into an empty folder."""
    for name in ("keras_radtl", "tests"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(REPOSITORY / "setup.cfg", folder / "setup.cfg")  # the settings of pytest


def plant(fault: Fault, folder: Path) -> None:
    """Edit the copy of the package in a folder."""
    file = folder / "keras_radtl" / fault.file
    text = file.read_text(encoding="utf-8")
    assert text.count(fault.old) == 1, f"{fault.name}: {fault.file} has {text.count(fault.old)} times: {fault.old}"
    file.write_text(text.replace(fault.old, fault.new), encoding="utf-8")


def run_tests(folder: Path, ids: tuple[str, ...]) -> subprocess.CompletedProcess:
    """Run tests of the copy in a new process; each result is one line of stdout, such as `FAILED tests/...`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    options = ["-rA", "--tb=no", "-p", "no:cacheprovider", *(f"tests/{name}" for name in ids)]
    command = [sys.executable, "-c", PYTEST, *options]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS
    )
