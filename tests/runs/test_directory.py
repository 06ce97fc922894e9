"""The run directory: its status, and when a folder may be resumed or overwritten."""

from __future__ import annotations

import errno
import os

import pytest

from keras_radtl.config import Config, UserError, dumps, set_key
from keras_radtl.runs import directory
from keras_radtl.runs.directory import CONFIG, STATUS, RunDirectory, check_output, config_hash, create


def names(folder):
    return sorted(path.name for path in folder.rglob("*"))


def test_configuration_hash():
    assert len(config_hash(Config())) == 12
    assert config_hash(Config()) == config_hash(Config()) != config_hash(Config(seed=1))


@pytest.fixture
def run(tmp_path) -> RunDirectory:
    return create(tmp_path / "run", Config(), {"python": "3"})


def test_new_run_has_configuration_environment_and_status(run):
    assert names(run.path) == ["config.json", "environment.json", "status.json"]
    assert run.config() == Config() and not run.finished and run.status["state"] == "running"
    run.set_status("finished", epoch=3)
    assert run.finished and run.status == {"state": "finished", "epoch": 3}
    assert names(run.path.parent) == ["config.json", "environment.json", "run", "status.json"]  # and no other file


def test_folder_that_is_not_a_run(tmp_path):
    assert RunDirectory(tmp_path).status == {} and not RunDirectory(tmp_path).finished
    with pytest.raises(UserError, match="is not a run directory: it has no config.json"):
        RunDirectory(tmp_path).config()


def test_folds_are_subdirectories(run):
    assert run.fold(0) is run and run.fold(2).path == run.path / "fold_2"


def test_clean_removes_temporary_files(run):
    (run.path / "figures").mkdir()
    for name in (".tmp-7-checkpoint.npz", "figures/.tmp-7-roc.png", "figures/roc.png"):
        (run / name).write_text("x")
    run.clean()
    assert names(run.path) == ["config.json", "environment.json", "figures", "roc.png", "status.json"]


def check(run, config=None, resume=False, overwrite=False):
    return check_output(run.path, config or Config(), resume, overwrite)


def test_absent_and_empty_folders_are_new(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "crashed").mkdir()
    (tmp_path / "crashed" / ".tmp-3-config.json").write_text("{")
    for name in ("absent", "empty", "crashed"):
        assert check_output(tmp_path / name, Config(), False, False) == "new"


@pytest.mark.parametrize("resume", [False, True])
def test_unfinished_run_of_the_same_configuration_resumes(run, resume):
    assert check(run, resume=resume) == "resume"


def test_finished_run_is_an_error_shown_or_replaced(run):
    run.set_status("finished")
    with pytest.raises(
        UserError,
        match="contains a finished run; choose another `output`, or set `overwrite=True` to replace it or `resume=",
    ):
        check(run)
    assert check(run, resume=True) == "done" and check(run, overwrite=True) == "overwrite"


@pytest.mark.parametrize("state", ["running", "finished"])
def test_different_configuration_is_an_error(run, state):
    run.set_status(state)
    other = set_key(Config(), "training.epochs", 99)
    for resume in (False, True):
        with pytest.raises(UserError, match=r"a different configuration \(training.epochs: 10 before, 99 now\)"):
            check(run, other, resume)
    assert check(run, other, overwrite=True) == "overwrite"


def test_other_folders_and_files_are_never_overwritten(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").write_text("x")
    (tmp_path / "file").write_text("x")
    for overwrite in (False, True):
        with pytest.raises(UserError, match="must be a new or empty folder"):
            check_output(tmp_path / "photos", Config(), False, overwrite)
        with pytest.raises(UserError, match="`output` must be a folder. Received: .*file, a file"):
            check_output(tmp_path / "file", Config(), False, overwrite)


def test_overwriting_removes_all_files_of_the_old_run(run):
    (run / "history.csv").write_text("old")
    again = create(run.path, Config(seed=1), {})
    assert again.config().seed == 1 and "history.csv" not in names(run.path)
    assert [path.name for path in run.path.parent.iterdir()] == ["run"]


@pytest.mark.parametrize("failing", range(1, 12))
def test_disk_error_while_replacing_keeps_the_old_run(run, monkeypatch, failing):
    """Raise a disk error at the k-th fsync or rename of `create`."""
    (run / "history.csv").write_text("old")
    count = 0

    def counting(real):
        def call(*arguments):
            nonlocal count
            count += 1
            if count == failing:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*arguments)

        return call

    for operation in ("fsync", "replace"):
        monkeypatch.setattr(directory.os, operation, counting(getattr(os, operation)))
    try:
        create(run.path, Config(seed=1), {})
    except OSError:
        assert run.config().seed == 0 and (run / "history.csv").read_text() == "old"
        assert [path.name for path in run.path.parent.iterdir()] == ["run"]
        return
    pytest.fail(f"`create` calls fsync and rename only {count} times")


def test_configuration_is_written_unchanged(run):
    assert (run / CONFIG).read_text() == dumps(Config()) and (run / STATUS).is_file()
