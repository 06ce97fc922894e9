"""The command `tune`: options, a search that is killed and resumes, and training of its best configuration."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from keras_radtl import tune
from keras_radtl.config import load_values
from keras_radtl.runs.directory import METRICS, MODEL, predictions_name
from keras_radtl.runs.files import read_csv, read_json

SCRIPT = Path(__file__).parent / "search" / "tiny_tune.py"
OPTIONS = (
    "--backbone tiny --weights none --head linear --unfreeze all --data phantoms --set data.phantoms.count=60 "
    "--set data.phantoms.image_size=32 --set data.phantoms.difficulty=0 --image-size 32 --max-epochs 3"
).split()


@pytest.mark.parametrize(
    "options, message",
    [
        ("--algorithm hyperband --trials 5", "--trials is an option of random and bayesian"),
        ("--algorithm random --factor 4", "--factor is an option of hyperband"),
        ("--max-epochs 0", "--max-epochs must be in [1, 9999]"),
        ("--space nowhere.yaml", "--space must be an existing file, `default` or the name of a study"),
        ("--feature-cache-size -1", "--feature-cache-size must be in [0, 1e6]"),
        ("--algorithm grid", "argument --algorithm: invalid choice: 'grid'"),
    ],
)
def test_invalid_options_are_one_line(options, message, capsys, tmp_path):
    assert tune.main([*options.split(), "--output", str(tmp_path / "a")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1
    assert not (tmp_path / "a").exists()


def test_printed_space_is_a_space_file(capsys, tmp_path):
    assert tune.main(["--print-space"]) == 0
    printed = capsys.readouterr().out
    (tmp_path / "space.yaml").write_text(printed)
    assert tune.main(["--print-space", "--space", str(tmp_path / "space.yaml")]) == 0
    assert capsys.readouterr().out == printed


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with two equal searches: `whole`, and `killed`, which resumed after a SIGKILL."""
    pytest.importorskip("keras_tuner")
    folder = tmp_path_factory.mktemp("tune")
    space = folder / "space.yaml"
    space.write_text("training.learning_rate: {low: 1e-3, high: 1e-1, log: true}\ntraining.optimizer: [adam, sgd]\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_RADTL_CACHE", str(folder / "cache"))
        commands = {
            name: [sys.executable, str(SCRIPT), *OPTIONS, "--space", str(space), "--output", str(folder / name)]
            for name in ("whole", "killed")
        }
        quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        whole, killed = (subprocess.Popen(command, **quiet) for command in commands.values())
        wait_for_trials(killed, folder / "killed" / "trials.csv", 2)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        assert whole.communicate()[0] and whole.returncode == 0
        resumed = subprocess.run(commands["killed"], **quiet, check=True)
        (folder / "output.txt").write_text(resumed.stdout)
    return folder


def wait_for_trials(process, table: Path, count: int) -> None:
    """Wait until a search has a number of finished trials."""
    until = time.monotonic() + 300
    while not table.is_file() or len(read_csv(table)) < count:
        assert process.poll() is None and time.monotonic() < until, "the search did not finish the trials"
        time.sleep(0.02)


def rows(folder: Path) -> list[dict]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in read_csv(folder / "trials.csv")]


@pytest.mark.slow
def test_killed_search_resumes_to_the_same_result(folder):
    assert rows(folder / "killed") == rows(folder / "whole")
    assert Counter(row["epochs"] for row in rows(folder / "whole")) == {"1": 3, "3": 3}
    assert load_values(folder / "killed" / "best_config.json") == load_values(folder / "whole" / "best_config.json")
    for trial in ("0002", "0005"):
        name = predictions_name("val")
        there, here = (folder / search / "trials" / trial / name for search in ("whole", "killed"))
        assert there.read_bytes() == here.read_bytes()


@pytest.mark.slow
def test_at_most_one_trial_is_repeated(folder):
    lines = (folder / "killed" / "trials.log").read_text().splitlines()
    begun = Counter(line for line in lines if line.startswith("---- trial"))
    assert len(begun) == 6 and sum(begun.values()) <= 7


@pytest.mark.slow
def test_log_and_output_of_a_search(folder):
    output = (folder / "output.txt").read_text()
    assert "resuming the search" in output and "6 trials, 12 epochs in total" in output
    assert "trial 0005, 6 of 6: 3 epochs, val AUC 0." in output and ", left 0:00" in output
    assert "Reloading Tuner" not in output  # a message of KerasTuner
    assert str(folder / "killed" / "best_config.json") in output


@pytest.mark.slow
def test_search_does_not_predict_test_cases_and_keeps_few_models(folder):
    assert not list((folder / "whole").rglob(predictions_name("test")))
    assert all(set(read_json(path)) == {"train", "val"} for path in (folder / "whole").rglob(METRICS))
    assert len(list((folder / "whole").rglob(MODEL))) == 3


@pytest.mark.slow
def test_best_configuration_reproduces_the_trial(folder, monkeypatch):
    fit = [sys.executable, str(SCRIPT.parents[1] / "tiny_backbone.py")]
    monkeypatch.setenv("KERAS_RADTL_CACHE", str(folder / "another-cache"))
    subprocess.run(
        [*fit, "--config", str(folder / "whole" / "best_config.json"), "--output", str(folder / "best")], check=True
    )
    best = max(rows(folder / "whole"), key=lambda row: (float(row["val_auc"]), -int(row["trial"])))
    trial = folder / "whole" / "trials" / best["trial"]
    name = predictions_name("val")
    assert (folder / "best" / name).read_bytes() == (trial / name).read_bytes()
    assert read_json(folder / "best" / METRICS)["val"]["auc"] == read_json(trial / METRICS)["val"]["auc"]
    assert read_json(folder / "best" / METRICS)["val"]["auc"]["value"] == pytest.approx(
        float(best["val_auc"]), rel=1e-8
    )
    assert (folder / "best" / predictions_name("test")).is_file()


def test_help_needs_neither_tensorflow_nor_kerastuner():
    code = (
        "import sys\nfrom keras_radtl.tune import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "assert not {'tensorflow', 'keras', 'keras_tuner'} & set(sys.modules)"
    )
    assert (
        "--algorithm" in subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    )
