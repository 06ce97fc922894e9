"""The folder of a sweep: recorded failures, received runs, and the plan."""

from __future__ import annotations

import pytest

from keras_radtl.config import Config, UserError, dumps, update
from keras_radtl.runs.files import read_json, write_text_atomic
from keras_radtl.sweeps.folder import SweepFolder, SweepOptions
from keras_radtl.sweeps.run_list import RunSpec, from_json


@pytest.fixture
def folder(tmp_path):
    return SweepFolder(tmp_path / "sweep")


def test_a_failure_is_recorded_until_the_run_is_tried_again(folder):
    assert folder.failure("a") is None
    folder.set_failure("a", "two\nlines", 1.26)
    assert folder.failure("a") == {"error": "two lines", "seconds": 1.3}
    folder.clear_failure("a")
    folder.clear_failure("a")
    assert folder.failure("a") is None


def test_a_received_run_replaces_an_incomplete_one(folder):
    write_text_atomic(folder.run("a") / "old.txt", "old")
    folder.receive("a", {"metrics.json": b"{}", "fold_1/summary.json": b"[]"})
    names = sorted(str(p.relative_to(folder.run("a").path)) for p in folder.run("a").path.rglob("*") if p.is_file())
    assert names == ["fold_1/summary.json", "metrics.json"]
    assert [path.name for path in (folder.path / "runs").iterdir()] == ["a"]


def test_the_plan_has_runs_and_options(folder):
    runs = [RunSpec("a", Config(), {"clf": "Linear", "ratio": None})]
    folder.path.mkdir()
    folder.write_plan(runs, SweepOptions(per_process=3))
    plan = read_json(folder.plan)
    assert from_json(plan["runs"]) == runs and plan["options"]["per_process"] == 3


def test_another_configuration_of_a_run_is_refused(folder):
    write_text_atomic(folder.run("a") / "config.json", dumps(Config()))
    folder.check([RunSpec("a", Config(), {}), RunSpec("b", update(Config(), {"seed": 1}), {})])
    with pytest.raises(UserError, match="run 'a' with seed: 0 before, 1 now; choose another `output`"):
        folder.check([RunSpec("a", update(Config(), {"seed": 1}), {})])


def test_options_of_a_run(folder):
    options = SweepOptions(reuse=False, figures=True).run_options(folder.run("a").path)
    assert (options.resume, options.reuse, options.figures, options.save_model) == (True, False, True, False)
    with pytest.raises(UserError, match="`feature_cache_size` must be"):
        SweepOptions(feature_cache_size=-1.0).run_options(folder.path)
