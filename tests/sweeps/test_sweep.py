"""Preparing a sweep: what is refused before the first run, and the preview."""

from __future__ import annotations

import pytest

from keras_radtl.config import Config, UserError, update
from keras_radtl.sweeps import sweep as module
from keras_radtl.sweeps.folder import SweepOptions
from keras_radtl.sweeps.run_list import RunSpec
from keras_radtl.sweeps.study import Study
from keras_radtl.sweeps.sweep import SweepResult, get_engine, list_runs, prepare_sweep

CONFIG = update(Config(), {"model": {"weights": "none"}, "data": {"phantoms": {"count": 20, "image_size": 32}}})


class Nothing:
    """Choices without a value of the user."""

    def check(self, runs):
        pass


def prepare(tmp_path, runs, **options):
    study = Study("some", lambda choices: runs)
    return prepare_sweep(study, runs, tmp_path / "sweep", SweepOptions(**options), ())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"per_process": 0}, "`runs_per_process` must be"),
        ({"feature_cache_size": -1.0}, "`feature_cache_size` must be"),
    ],
)
def test_wrong_options_are_refused(tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        prepare(tmp_path, [RunSpec("a", CONFIG, {})], **options)


def test_finished_runs_are_not_repeated(tmp_path):
    sweep = prepare(tmp_path, [RunSpec("a", CONFIG, {}), RunSpec("b", CONFIG, {})])
    sweep.folder.run("a").path.mkdir(parents=True)
    sweep.folder.run("a").set_status("finished")
    assert [run.name for run in sweep.unfinished] == ["b"] and len(sweep.available) == 2
    assert sweep.describe_disk().startswith("1 run: disk: ")


def test_the_time_is_told_for_the_unfinished_runs(tmp_path, monkeypatch):
    from keras_radtl.sweeps import speed

    monkeypatch.setattr(speed, "try_speed", lambda runs, file: "Unknown backbone")
    assert prepare(tmp_path, [RunSpec("a", CONFIG, {})]).describe_time() == "1 run: time unknown: Unknown backbone"


def test_too_little_disk_space_is_refused(tmp_path, monkeypatch):
    from keras_radtl.sweeps import execute

    monkeypatch.setattr(execute.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 0})())
    with pytest.raises(UserError, match="GB are free; see `save_models`"):
        prepare(tmp_path, [RunSpec("a", CONFIG, {})]).describe_disk()


def test_an_error_in_the_function_runs_names_its_line(tmp_path):
    file = tmp_path / "some.py"
    file.write_text("def runs(choices):\n    return choices.rates\n")
    study = module.Study("some", __import__("runpy").run_path(str(file))["runs"], file=str(file))
    with pytest.raises(UserError, match=r"some.py, line 2: AttributeError: .*rates"):
        list_runs(study, Nothing())
    with pytest.raises(UserError, match="^some: `runs` must return a list of RunSpec. Received: 3$"):
        list_runs(Study("some", lambda choices: 3), Nothing())


def test_engines():
    assert get_engine("local", None).__name__ == "run_local"
    with pytest.raises(UserError, match="`engine` must be local or ray"):
        get_engine("slurm", None)
    with pytest.raises(UserError, match="^`ray_address` needs `engine='ray'`. Received: ray_address='auto'$"):
        get_engine("local", "auto")


def test_a_result_has_a_table_and_its_failures(tmp_path):
    rows = ({"name": "a", "status": "finished", "test_auc": 0.9}, {"name": "b", "status": "failed", "error": "no"})
    result = SweepResult(tmp_path, ("name", "test_auc", "status", "error"), rows, "text")
    assert result.failed == {"b": "no"} and result.table.shape == (2, 4)
    assert repr(result).startswith("<SweepResult: 1 finished, 1 failed; folder ")
    assert "1 finished, 1 failed" in result._repr_html_()
