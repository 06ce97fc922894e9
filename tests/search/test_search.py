"""Whole searches whose trials only write a run directory: files, resuming after kills and damage, errors."""

from __future__ import annotations

import json
import math
import shutil
from collections import Counter
from pathlib import Path

import pytest

from keras_radtl.config import Config, UserError, load_values, set_key, to_dict
from keras_radtl.runs.directory import CONFIG, METRICS, MODEL, STATUS, SUMMARY
from keras_radtl.runs.files import read_csv, write_json
from keras_radtl.search import search as tuning
from keras_radtl.search.settings import TunerSettings
from keras_radtl.search.space import make_space
from keras_radtl.search.trial_process import TrialFailed
from keras_radtl.search.trials import TrialRow

pytest.importorskip("keras_tuner")
pytestmark = pytest.mark.filterwarnings("ignore:.*imp.*:DeprecationWarning")
SPACE = make_space({"training.learning_rate": {"low": 1e-5, "high": 1e-1, "log": True}}, Config())
SETTINGS = TunerSettings(max_epochs=3)  # 3 trials of 1 epoch, the best of them again with 3, and 2 of 3 epochs


class Killed(BaseException):
    """Ends a search at once, like SIGKILL."""


class Trainer:
    """Replaces the child process; records the trained trials."""

    def __init__(self):
        self.trained, self.errors, self.kill, self.kill_after_writing, self.weights = [], {}, None, None, 1000

    def __call__(self, log: Path, stop):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def start(self):
        pass

    def rehearse(self, configs):
        self.rehearsed = list(configs)
        return {"data_sha256": "ab" * 32, "cases": 50, "weights": self.weights, "trainable": 10}

    def train(self, config: Config, output: Path, options):
        assert options["save_model"] and options["reuse"]
        if output.name == self.kill:
            raise Killed
        self.trained.append(output.name)
        if output.name in self.errors:
            raise self.errors[output.name]
        value = 0.9 - 0.05 * abs(math.log10(config.training.learning_rate) + 3)
        write_json(output / CONFIG, to_dict(config))
        write_json(output / METRICS, {"val": {"auc": {"value": value}}})
        write_json(output / SUMMARY, {"best_epoch": 1, "seconds": 0.5})
        (output / MODEL).write_bytes(bytes(1000))
        write_json(output / STATUS, {"state": "finished"})
        if output.name == self.kill_after_writing:
            raise Killed


@pytest.fixture
def trainer(monkeypatch):
    found = Trainer()
    monkeypatch.setattr(tuning, "TrialProcess", found)
    return found


def search(folder, config=Config(), space=SPACE, settings=SETTINGS, **kwargs):  # noqa: B008  a frozen value
    return tuning.tune(config, space, settings, folder, options={"reuse": True}, **kwargs)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the table of an uninterrupted search."""
    folder = tmp_path_factory.mktemp("whole") / "search"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning, "TrialProcess", Trainer())
        search(folder)
    return read_csv(folder / "trials.csv")


def test_files_of_a_search(tmp_path, trainer):
    outcome = search(tmp_path / "a")
    rows = read_csv(tmp_path / "a" / "trials.csv")
    assert outcome.problem == "" and len(rows) == SETTINGS.total_trials == 6
    assert {row["status"] for row in rows} == {"completed"}
    best = max(rows, key=lambda row: float(row["val_auc"]))
    config = load_values(tmp_path / "a" / "best_config.json")
    assert config["training"]["learning_rate"] == pytest.approx(float(best["training.learning_rate"]), rel=1e-8)
    assert config["training"]["epochs"] == int(best["epochs"])
    models = {path.parent.name for path in (tmp_path / "a").rglob(MODEL)}
    order = sorted(rows, key=lambda row: (-float(row["val_auc"]), row["trial"]))
    assert models == {row["trial"] for row in order[: SETTINGS.keep]}


def test_corners_are_rehearsed_with_the_fewest_epochs(tmp_path, trainer):
    search(tmp_path / "a")
    assert {c.training.learning_rate for c in trainer.rehearsed} == {1e-5, 1e-1}
    assert {c.training.epochs for c in trainer.rehearsed} == {1}


@pytest.mark.parametrize("trial", ["0000", "0002", "0003", "0005"])
@pytest.mark.parametrize("moment", ["kill", "kill_after_writing"])
def test_killed_search_resumes_to_the_same_table(tmp_path, trainer, whole, trial, moment):
    setattr(trainer, moment, trial)
    with pytest.raises(Killed):
        search(tmp_path / "a")
    trainer.kill = trainer.kill_after_writing = None
    search(tmp_path / "a")
    assert read_csv(tmp_path / "a" / "trials.csv") == whole
    assert max(Counter(trainer.trained).values()) == 1  # finished trials are read, not trained again


def files_of_a_search(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.json"))


def test_damaged_file_loses_no_trial(tmp_path, trainer, whole):
    trainer.kill = "0003"
    with pytest.raises(Killed):
        search(tmp_path / "stopped")
    trainer.kill = None
    names = files_of_a_search(tmp_path / "stopped")
    assert {"search.json", "snapshot.json", "best_config.json", "trials/0000/status.json"} <= set(names)
    for i, name in enumerate(names):
        folder = tmp_path / str(i)
        shutil.copytree(tmp_path / "stopped", folder)
        text = (folder / name).read_text()
        (folder / name).write_text(text[: len(text) // 2])
        trainer.trained.clear()
        search(folder)
        assert known(read_csv(folder / "trials.csv")) == known(whole), name
        assert sorted(trainer.trained) == ["0003", "0004", "0005"], name


def known(rows: list[dict]) -> list[dict]:
    """Exclude columns that only the run directory of a trial has."""
    return [
        {key: value for key, value in row.items() if key not in ("best_epoch", "seconds", "diverged")} for row in rows
    ]


def test_failed_trial_has_its_reason_in_the_table(tmp_path, trainer):
    trainer.errors["0002"] = TrialFailed("its process was killed by SIGKILL, perhaps out of memory")
    outcome = search(tmp_path / "a")
    (failed,) = [row for row in read_csv(tmp_path / "a" / "trials.csv") if row["status"] == "failed"]
    assert (failed["trial"], failed["val_auc"], failed["error"]) == ("0002", "", str(trainer.errors["0002"]))
    assert Counter(trainer.trained)["0002"] == 2 and outcome.problem == ""  # one retry


def test_search_without_completed_trials_is_incomplete(tmp_path, trainer):
    trainer.errors = {f"{i:04d}": TrialFailed("CUDA out of memory") for i in range(6)}
    outcome = search(tmp_path / "a")
    assert outcome.problem == "3 consecutive trials failed, the last one: CUDA out of memory"
    assert [row.status for row in outcome.rows] == ["failed"] * 3
    assert not (tmp_path / "a" / "best_config.json").exists()


def test_search_without_a_trial_of_full_length_is_incomplete():
    rows = [TrialRow("0000", "completed", 1, {}, val_auc=0.7), TrialRow("0001", "failed", 3, {}, error="NaN")]
    problem = "no trial of 3 epochs was completed, since 1 of 2 trials failed"
    assert tuning._shortfall(SETTINGS, rows) == problem
    assert tuning._shortfall(SETTINGS, [*rows, TrialRow("0002", "completed", 3, {}, val_auc=0.6)]) == ""


def test_search_resumes_after_a_data_error(tmp_path, trainer, whole):
    trainer.errors["0004"] = UserError("data/a.png cannot be read")
    with pytest.raises(UserError, match="a.png cannot be read"):
        search(tmp_path / "a")
    trainer.errors.clear()
    search(tmp_path / "a")
    assert read_csv(tmp_path / "a" / "trials.csv") == whole


def test_different_search_in_the_folder_is_an_error(tmp_path, trainer):
    search(tmp_path / "a")
    other = set_key(Config(), "training.batch_size", 16)
    with pytest.raises(UserError, match="contains another search .config.training.batch_size: 32 before, 16 now"):
        search(tmp_path / "a", other)
    with pytest.raises(UserError, match="another search"):
        search(tmp_path / "a", settings=TunerSettings(max_epochs=2))
    before = len(trainer.trained)
    search(tmp_path / "a", settings=TunerSettings(max_epochs=3, keep=1))  # the same trials
    assert len(trainer.trained) == before
    search(tmp_path / "a", other, overwrite=True)
    assert len(trainer.trained) == before + 6


def test_folder_with_other_files_is_an_error(tmp_path, trainer):
    (tmp_path / "thesis.txt").write_text("chapter 1")
    with pytest.raises(UserError, match="other files"):
        search(tmp_path, overwrite=True)
    assert (tmp_path / "thesis.txt").exists()


def test_insufficient_disk_space_is_an_error(tmp_path, trainer):
    trainer.weights = 10**15
    with pytest.raises(UserError, match="may need .* GB are free"):
        search(tmp_path / "a")
    assert not (tmp_path / "a").exists() and trainer.trained == []


@pytest.mark.parametrize("key, value", [("split.folds", 5), ("training.phase_epochs", [2])])
def test_folds_and_phase_epochs_are_an_error(tmp_path, trainer, key, value):
    with pytest.raises(UserError, match=key):
        search(tmp_path / "a", set_key(Config(), key, value))
    assert not (tmp_path / "a").exists()


def test_kerastuner_variables_are_an_error(tmp_path, trainer, monkeypatch):
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    with pytest.raises(UserError, match="KERASTUNER_ORACLE_IP"):
        search(tmp_path / "a")


def test_project_name_depends_on_configuration_and_data(tmp_path, trainer):
    names = set()
    for i, config in enumerate([Config(), Config(seed=1), set_key(Config(), "data.phantoms.seed", 1)]):
        search(tmp_path / str(i), config)
        names |= {path.name for path in (tmp_path / str(i)).glob("search-*")}
    trainer.rehearse = lambda configs: {"data_sha256": "cd" * 32, "cases": 50, "weights": 1, "trainable": 1}
    search(tmp_path / "data")
    names |= {path.name for path in (tmp_path / "data").glob("search-*")}
    assert len(names) == 4
    assert json.loads((tmp_path / "data" / "search.json").read_text())["data_sha256"] == "cd" * 32
