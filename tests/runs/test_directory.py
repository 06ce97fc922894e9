"""The run directory: files whole or absent, cells that read back, and when a folder may be written again."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_radtl.config import Config, UserError, dumps, set_key
from keras_radtl.runs import directory
from keras_radtl.runs.directory import CONFIG, STATUS, RunDirectory, check_output, config_hash, create
from keras_radtl.runs.files import (
    atomic,
    csv_cell,
    difference,
    locked,
    read_csv,
    read_json,
    write_csv,
    write_json,
    write_text_atomic,
)


def names(folder):
    return sorted(path.name for path in folder.rglob("*"))


def test_a_file_is_replaced_whole(tmp_path):
    write_text_atomic(tmp_path / "deep" / "a.txt", "old")
    write_text_atomic(tmp_path / "deep" / "a.txt", "new")
    assert (tmp_path / "deep" / "a.txt").read_text() == "new" and names(tmp_path) == ["a.txt", "deep"]


def test_the_temporary_name_keeps_the_suffix(tmp_path):
    with atomic(tmp_path / "model.keras") as temporary:
        assert temporary.suffix == ".keras" and temporary.parent == tmp_path
        temporary.write_text("x")


def test_what_fails_within_leaves_the_old_file(tmp_path):
    write_text_atomic(tmp_path / "a.txt", "old")
    with pytest.raises(RuntimeError), atomic(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert (tmp_path / "a.txt").read_text() == "old" and names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("operation", ["fsync", "replace"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails_leaves_the_old_file(tmp_path, monkeypatch, operation, code):
    write_text_atomic(tmp_path / "a.txt", "old")

    def fail(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(directory.os, operation, fail)
    with pytest.raises(OSError, match=os.strerror(code)):
        write_text_atomic(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "old" and names(tmp_path) == ["a.txt"]


def test_it_is_on_disk_before_it_has_its_name_and_the_name_after(tmp_path, monkeypatch):
    calls = []
    for operation in ("fsync", "replace"):
        real = getattr(os, operation)
        monkeypatch.setattr(directory.os, operation, lambda *a, o=operation, r=real: (calls.append(o), r(*a))[1])
    write_text_atomic(tmp_path / "a.txt", "x")
    assert calls == ["fsync", "replace", "fsync"]


def test_json_is_strict(tmp_path):
    write_json(tmp_path / "a.json", {"a": [1, None, "é"]})
    assert read_json(tmp_path / "a.json") == {"a": [1, None, "é"]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"a": float("nan")})
    assert read_json(tmp_path / "a.json") == {"a": [1, None, "é"]}


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum", "\tx", "'=1"])
def test_formulas_are_disarmed_and_read_back(tmp_path, text):
    assert csv_cell(text)[0] == "'"
    write_csv(tmp_path / "a.csv", ["a", "b"], [[text, "x"]])
    assert read_csv(tmp_path / "a.csv") == [{"a": text, "b": "x"}]


def test_numbers_keep_all_their_digits(tmp_path):
    values = [1 / 3, np.float32(1) / np.float32(3), np.float64(1e-300), -2.5, np.int64(-3), 7, None]
    write_csv(tmp_path / "a.csv", [str(i) for i in range(7)], [values])
    (row,) = read_csv(tmp_path / "a.csv")
    assert [float(row[str(i)]) for i in range(4)] == [float(value) for value in values[:4]]
    assert np.float32(row["1"]) == values[1] and [row[str(i)] for i in (4, 5, 6)] == ["-3", "7", ""]


PRINTABLE = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)


@settings(max_examples=100, deadline=None)
@given(cell=PRINTABLE | PRINTABLE.map(lambda text: "=" + text) | PRINTABLE.map(lambda text: "'" + text))
def test_any_printable_text_reads_back(tmp_path_factory, cell):
    file = tmp_path_factory.mktemp("cells") / "a.csv"
    write_csv(file, ["a", "b"], [[cell, "x"]])
    assert read_csv(file) == [{"a": cell, "b": "x"}]


def test_difference_names_dotted_keys_and_both_values():
    old, new = {"a": 1, "b": {"c": 2, "d": 3}, "e": 4}, {"a": 1, "b": {"c": 5, "d": 3}, "f": 6}
    assert difference(old, new) == ["b.c: 2 there, 5 now", "e: 4 there, None now", "f: None there, 6 now"]
    assert difference(old, old) == []


def test_the_hash_of_a_configuration():
    assert len(config_hash(Config())) == 12
    assert config_hash(Config()) == config_hash(Config()) != config_hash(Config(seed=1))


@pytest.fixture
def run(tmp_path) -> RunDirectory:
    return create(tmp_path / "run", Config(), {"python": "3"})


def test_a_new_run_has_configuration_environment_and_status(run):
    assert names(run.path) == ["config.json", "environment.json", "status.json"]
    assert run.config() == Config() and not run.finished and run.status["state"] == "running"
    run.set_status("finished", epoch=3)
    assert run.finished and run.status == {"state": "finished", "epoch": 3}
    assert names(run.path.parent) == ["config.json", "environment.json", "run", "status.json"]  # nothing beside it


def test_a_folder_that_is_no_run(tmp_path):
    assert RunDirectory(tmp_path).status == {} and not RunDirectory(tmp_path).finished
    with pytest.raises(UserError, match="is not a run directory: it has no config.json"):
        RunDirectory(tmp_path).config()


def test_folds_are_runs_within_the_run(run):
    assert run.fold(0) is run and run.fold(2).path == run.path / "fold_2"


def test_clean_removes_what_a_crash_left(run):
    (run.path / "figures").mkdir()
    for name in (".tmp-7-checkpoint.npz", "figures/.tmp-7-roc.png", "figures/roc.png"):
        (run / name).write_text("x")
    run.clean()
    assert names(run.path) == ["config.json", "environment.json", "figures", "roc.png", "status.json"]


def check(run, config=None, resume=False, overwrite=False):
    return check_output(run.path, config or Config(), resume, overwrite)


def test_new_folders(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "crashed").mkdir()
    (tmp_path / "crashed" / ".tmp-3-config.json").write_text("{")
    for name in ("absent", "empty", "crashed"):
        assert check_output(tmp_path / name, Config(), False, False) == "new"


@pytest.mark.parametrize("resume", [False, True])
def test_an_unfinished_run_of_the_same_configuration_goes_on(run, resume):
    assert check(run, resume=resume) == "resume"


def test_a_finished_run_is_refused_or_shown_or_replaced(run):
    run.set_status("finished")
    with pytest.raises(
        UserError,
        match="has a finished run; choose another `output`, `overwrite=True`, or `resume=True` to show it again",
    ):
        check(run)
    assert check(run, resume=True) == "done" and check(run, overwrite=True) == "overwrite"


@pytest.mark.parametrize("state", ["running", "finished"])
def test_another_configuration_is_refused_with_its_key(run, state):
    run.set_status(state)
    other = set_key(Config(), "training.epochs", 99)
    for resume in (False, True):
        with pytest.raises(UserError, match=r"another configuration \(training.epochs: 10 there, 99 now\)"):
            check(run, other, resume)
    assert check(run, other, overwrite=True) == "overwrite"


def test_other_folders_and_files_are_never_touched(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").write_text("x")
    (tmp_path / "file").write_text("x")
    for overwrite in (False, True):
        with pytest.raises(UserError, match="must be a new or empty folder"):
            check_output(tmp_path / "photos", Config(), False, overwrite)
        with pytest.raises(UserError, match="is a file; name a folder"):
            check_output(tmp_path / "file", Config(), False, overwrite)


def test_overwriting_leaves_nothing_of_the_old_run(run):
    (run / "history.csv").write_text("old")
    again = create(run.path, Config(seed=1), {})
    assert again.config().seed == 1 and "history.csv" not in names(run.path)
    assert [path.name for path in run.path.parent.iterdir()] == ["run"]


@pytest.mark.parametrize("failing", range(1, 12))
def test_a_disk_that_fills_while_a_run_is_replaced_leaves_the_old_one(run, monkeypatch, failing):
    """Fault at the k-th fsync or rename of `create`, until it needs no more of them."""
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
    pytest.fail(f"create needs only {count} of these operations")


def test_one_writer_at_a_time(tmp_path):
    with locked(tmp_path / "run"):
        code = (
            "import sys\nfrom keras_radtl.config import UserError\nfrom keras_radtl.runs.files import locked\n"
            "try:\n    with locked(sys.argv[1]): print('in')\nexcept UserError as error: print(error)"
        )
        script = [sys.executable, "-c", code]
        done = subprocess.run([*script, str(tmp_path / "x" / ".." / "run")], capture_output=True, text=True, check=True)
        assert "Another process is writing" in done.stdout
        assert (
            subprocess.run([*script, str(tmp_path / "other")], capture_output=True, text=True, check=True).stdout
            == "in\n"
        )
    assert subprocess.run([*script, str(tmp_path / "run")], capture_output=True, text=True, check=True).stdout == "in\n"


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    code = (
        "import sys, time\nfrom keras_radtl.runs.files import locked\n"
        "with locked(sys.argv[1]):\n    print('in', flush=True)\n    time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "in\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    with locked(tmp_path / "run"):
        pass


@pytest.mark.parametrize("after", [0.0, 0.05, 0.1, 0.15])
def test_killed_while_writing_there_is_the_old_file_or_the_new_one(tmp_path, after):
    code = (
        "import sys\nfrom keras_radtl.runs.directory import write_json\nprint('go', flush=True)\n"
        "for i in range(10**6): write_json(sys.argv[1], [i] * 20000)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "a.json")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "go\n"
        time.sleep(after)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    if (tmp_path / "a.json").exists():
        assert len(set(json.loads((tmp_path / "a.json").read_text()))) == 1
    RunDirectory(tmp_path).clean()
    assert names(tmp_path) in ([], ["a.json"])


def test_the_configuration_on_disk_is_the_one_that_was_asked_for(run):
    assert (run / CONFIG).read_text() == dumps(Config()) and (run / STATUS).is_file()
