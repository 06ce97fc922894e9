"""`run_sweep`: the same runs as the command, arguments that are refused, and what it returns."""

from __future__ import annotations

import pytest

from keras_radtl.config import Config, UserError, update
from keras_radtl.runs.files import read_csv
from keras_radtl.studies.run import choices_from, run_sweep
from keras_radtl.studies.table import get_study
from keras_radtl.sweeps.run_list import RunSpec
from keras_radtl.sweeps.sweep import list_runs

STUDY = """
    return [
        RunSpec(name_of(*levels), update(choices.config(), {"seed": levels[0]}), {"seed": levels[0]})
        for levels in zip(choices.seeds)
    ]
"""
ATTRIBUTES = """
from keras_radtl.sweeps.run_list import name_of
from keras_radtl.sweeps.study import Factor

FACTORS = (Factor("seeds", (0, 1, 2), "seeds", free=True),)
"""


@pytest.fixture
def in_empty_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def python_runs(name, data=None, **keywords):
    study = get_study(name)
    return list_runs(study, choices_from(study, data, keywords))


@pytest.mark.parametrize(
    "name, options, data, keywords",
    [
        ("fts", ["--data", "x", "--epochs", "3", "--rates", "0.1", "--strategies", "ft"], "x",
         {"epochs": 3, "rates": 0.1, "strategies": "ft"}),
        ("grid176", ["--data-acl", "x", "--data-breast", "y", "--heads", "Conv", "--set", "augment.rotation=0"],
         {"acl": "x", "breast": "y"}, {"heads": ["Conv"], "augment.rotation": 0}),
        ("unfreezing", ["--tasks", "acl", "--data", "x", "--levels", "1", "2"], "x",
         {"tasks": "acl", "levels": [1, 2]}),
        ("radimagenet24", ["--tasks", "breast", "--data", "x", "--folds", "3"], "x", {"tasks": ["breast"], "folds": 3}),
        ("fts", ["--data", "phantoms", "--augment", "none"], "phantoms", {"augment": "none"}),
    ],
)  # fmt: skip
def test_arguments_list_the_runs_of_the_command(listed, name, options, data, keywords):
    assert python_runs(name, data, **keywords) == listed(name, *options)


@pytest.mark.parametrize(
    "name, data, keywords, message",
    [
        ("grid176", "x", {}, r"^`data` is for one task: select one by `tasks`, or use `data=\{'acl': 'PATH', 'breast'"),
        ("grid176", {"mri": "x"}, {}, r"^`data` must be a dict from tasks \(acl, breast\)"),
        ("fts", {"mri": "x"}, {}, "^`data` must be one path for a study without tasks"),
        ("grid176", None, {"heads": "Deep"}, "^`heads` must be among Linear, NonLinear, Conv, ConvSkip"),
        ("fts", None, {"seeds": "a"}, "^`seeds` must be of type int"),
        ("fts", None, {"seeds": []}, "^`seeds` must be one or more levels"),
        ("fts", None, {"backbone": "vgg19"}, "^`backbone` is set by the list of runs; its own options are `str"),
        ("fts", None, {"training.strategy": "lp"}, "^`strategy` is set by"),
        ("fts", None, {"colour": 1}, "^Unknown argument 'colour'.*Factors of this study: strategies, backbones, rates"),
    ],
)  # fmt: skip
def test_arguments_that_are_refused(in_empty_folder, name, data, keywords, message):
    with pytest.raises(UserError, match=message):
        python_runs(name, data, **keywords)


@pytest.mark.slow
def test_a_sweep_gives_a_table_and_resumes(tmp_path, write_list, tiny_backbone):
    path = write_list(STUDY, ATTRIBUTES)
    result = run_sweep(path, tmp_path / "sweep", seeds=[0, 1], data="phantoms")
    assert result.folder == tmp_path / "sweep" and result.failed == {}
    table = result.table
    assert list(table["name"]) == ["0", "1"] and table["test_auc"].between(0, 1).all()
    assert list(table.columns) == list(read_csv(tmp_path / "sweep" / "results.csv")[0])
    assert "2 finished" in repr(result) and "<table" in result._repr_html_() and "2 finished" in result.text
    before = [file.stat().st_mtime_ns for file in sorted(result.folder.rglob("status.json"))]
    more = run_sweep(path, tmp_path / "sweep", seeds=(0, 1, 2), data="phantoms")
    assert list(more.table["status"]) == ["finished"] * 3
    assert [file.stat().st_mtime_ns for file in sorted(result.folder.rglob("status.json"))][:2] == before


@pytest.mark.slow
def test_a_dry_run_writes_nothing(tmp_path, write_list):
    result = run_sweep(write_list(STUDY, ATTRIBUTES), tmp_path / "sweep", dry_run=True)
    assert list(result.table["status"]) == ["open"] * 3 and "3 runs: disk: " in result.text
    assert not result.folder.exists()


def test_runs_without_a_study_need_an_output_and_a_list_of_run_specs(tmp_path):
    with pytest.raises(UserError, match="`output` must be given"):
        run_sweep([RunSpec("one", Config(), {})])
    with pytest.raises(UserError, match="study.*sequence of RunSpec"):
        run_sweep(["grid176"], tmp_path)


@pytest.mark.slow
def test_runs_without_a_study(tmp_path):
    data = {"image_size": 32, "phantoms": {"count": 20, "image_size": 32}}
    config = update(Config(), {"data": data, "split": {"folds": 100}, "model": {"weights": "none"}})
    runs = [RunSpec("many", config, {"clf": "linear"})]
    result = run_sweep(runs, tmp_path / "sweep")
    assert list(result.failed) == ["many"] and "folds" in result.failed["many"] and "1 failed" in repr(result)


def test_what_is_missing_is_named_as_arguments(in_empty_folder):
    with pytest.raises(UserError, match=r"`data=\{'acl': 'PATH'\}`.*`skip_missing=\['acl'\]`"):
        run_sweep("grid176", data={"breast": "phantoms"}, pretraining="none")
    with pytest.raises(UserError, match="^`ray_address` needs `engine='ray'`"):
        run_sweep("fts", ray_address="auto")


def test_the_preset_of_a_study_is_the_base_of_its_runs(in_empty_folder):
    run = python_runs("radimagenet24", "x", tasks="breast")[0]
    preset = Config.preset("radimagenet")
    assert run.config.preset_name == "radimagenet" and run.config.model.head == preset.model.head
