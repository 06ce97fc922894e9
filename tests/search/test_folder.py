"""The folder of a search: project name, snapshot of KerasTuner, results of trials."""

from __future__ import annotations

import json

import pytest

from keras_radtl.config import Config, UserError, set_key, to_dict
from keras_radtl.runs.directory import CONFIG, METRICS, STATUS, SUMMARY
from keras_radtl.runs.files import write_json
from keras_radtl.search.folder import SNAPSHOT, SearchFolder, TrialResult, describe_search, search_hash
from keras_radtl.search.settings import TunerSettings
from keras_radtl.search.space import make_space

SPACE = make_space({"training.optimizer": ["adam", "sgd"]}, Config())


def test_hash_depends_on_what_determines_the_trials():
    def hashed(config=Config(), space=SPACE, data="aa", **settings):  # noqa: B008  a frozen value
        return search_hash(describe_search(config, space, TunerSettings(**settings), data))

    other = make_space({"training.optimizer": ["adam"]}, Config())
    hashes = [hashed(), hashed(Config(seed=1)), hashed(space=other), hashed(data="bb"), hashed(max_epochs=3)]
    assert len(set(hashes)) == 5
    assert hashed(keep=1, retries=5) == hashed()  # they do not affect which trials are drawn


def write_project(project, trials):
    for name in ("oracle.json", "tuner0.json", *(f"trial_{i}/trial.json" for i in range(trials))):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(json.dumps({"trials": trials, "name": name}))


def content(project):
    return {str(path.relative_to(project)): path.read_text() for path in project.rglob("*.json")}


def test_project_is_restored_from_the_snapshot(tmp_path):
    folder, project = SearchFolder(tmp_path), tmp_path / "search-0123"
    write_project(project, 2)
    folder.take_snapshot(project)
    before = content(project)
    write_project(project, 3)
    (project / "oracle.json").write_text('{"trials": ')
    folder.restore_snapshot(project)
    assert content(project) == before


@pytest.mark.parametrize(
    "change", [lambda text: text[:50], lambda text: text.replace("tuner0", "tuner1"), lambda text: "[]"]
)
def test_damaged_snapshot_is_not_used(tmp_path, change, caplog):
    folder, project = SearchFolder(tmp_path), tmp_path / "search-0123"
    write_project(project, 2)
    folder.take_snapshot(project)
    (tmp_path / SNAPSHOT).write_text(change((tmp_path / SNAPSHOT).read_text()))
    folder.restore_snapshot(project)
    assert not project.exists() and "damaged" in caplog.text


def test_snapshot_of_another_project_is_not_used(tmp_path):
    folder = SearchFolder(tmp_path)
    write_project(tmp_path / "search-0123", 1)
    folder.take_snapshot(tmp_path / "search-0123")
    folder.restore_snapshot(tmp_path / "search-4567")
    assert not (tmp_path / "search-4567").exists()


def finished_trial(folder, config):
    run = folder.run("0000")
    write_json(run / CONFIG, to_dict(config))
    write_json(run / METRICS, {"val": {"auc": {"value": 0.75}}})
    write_json(run / SUMMARY, {"best_epoch": 2, "seconds": 1.5})
    write_json(run / STATUS, {"state": "finished"})
    return run


def test_result_of_a_finished_trial(tmp_path):
    folder, config = SearchFolder(tmp_path), Config()
    assert folder.result("0000", config) is None
    run = finished_trial(folder, config)
    assert folder.result("0000", config) == TrialResult(0.75, 2, 1.5)
    assert folder.result("0000", set_key(config, "training.epochs", 3)) is None
    write_json(run / METRICS, {"val": {"auc": {"value": None}}})
    assert folder.result("0000", config) is None


def test_unusable_run_of_a_trial_is_removed(tmp_path):
    folder, config = SearchFolder(tmp_path), Config()
    run = finished_trial(folder, config)
    run.set_status("running", epoch=1)
    folder.remove_unusable("0000", config)
    assert run.path.exists()
    folder.remove_unusable("0000", Config(seed=1))
    assert not run.path.exists()
    run = finished_trial(folder, config)
    (run / STATUS).write_text('{"sta')
    folder.remove_unusable("0000", config)
    assert not run.path.exists()


def test_damaged_description_is_an_error_without_a_matching_project(tmp_path):
    folder, description = SearchFolder(tmp_path), {"config": 1}
    project = folder.claim(description, overwrite=False)
    (tmp_path / "search.json").write_text('{"conf')
    with pytest.raises(UserError, match="damaged; choose another `output`, or set `overwrite=True`"):
        folder.claim(description, overwrite=False)
    project.mkdir()
    assert folder.claim(description, overwrite=False) == project


def test_folder_of_a_search_that_was_killed_before_its_description(tmp_path):
    for name in (".tmp-1-search.json", ".worker.lock", "trials.log"):
        (tmp_path / name).touch()
    assert SearchFolder(tmp_path).prepare()
    assert not (tmp_path / ".tmp-1-search.json").exists()
    (tmp_path / "other.txt").touch()
    with pytest.raises(UserError, match="contains other files"):
        SearchFolder(tmp_path).prepare()
