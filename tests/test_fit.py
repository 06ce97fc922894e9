"""The command `fit`: output, existing folders, and real signals to real processes."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from keras_radtl.config import Config, set_key
from keras_radtl.fit import default_output, main
from keras_radtl.runs.directory import RunDirectory
from keras_radtl.runs.files import read_csv, read_json
from keras_radtl.training import checkpoint

outcome = runpy.run_path(str(Path(__file__).with_name("outcome.py")))["outcome"]
EPOCHS = 12


@pytest.fixture(scope="module")
def finished(tiny_fit, tmp_path_factory):
    """Return a finished run of the tiny backbone."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    assert tiny_fit(folder, "--epochs", "2") == 0
    return folder


def test_output_has_metrics_and_paths(finished, tiny_fit, capsys):
    assert tiny_fit(finished, "--epochs", "2", "--resume") == 0
    out = capsys.readouterr().out
    assert re.search(r"^auc +\d\.\d{3}", out, re.MULTILINE) and "best epoch" in out
    for name in ("model.keras", "figures", str(finished)):
        assert name in out
    assert sorted(file.name for file in (finished / "figures").iterdir()) == [
        "confusion.png", "history.png", "images.png", "roc.png",
    ]  # fmt: skip
    metrics = read_json(finished / "metrics.json")
    assert set(metrics) == {"train", "val", "test"} and set(metrics["test"]["auc"]) == {
        "value",
        "ci_low",
        "ci_high",
        "n",
        "method",
    }


def test_environment_has_versions_and_hashes(finished):
    record = read_json(finished / "environment.json")
    assert len(record["data_sha256"]) == len(record["split_sha256"]) == 64 and record["packages"]["keras"]


def test_names_with_spaces_and_brackets_are_kept(finished):
    rows = read_csv(finished / "predictions_test.csv")
    assert {row["label"] for row in rows} == {"benign mass", "malignant [sic] (2)"}
    assert all("prob_malignant [sic] (2)" in row for row in rows)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--epochs", "2"],
            "contains a finished run; choose another --output, or set --overwrite to replace it or --resume to show it",
        ),
        (["--epochs", "3"], "a different configuration (training.epochs: 2 before, 3 now)"),
        (["--epochs", "3", "--resume"], "training.epochs: 2 before, 3 now"),
        (["--epochs", "2", "--batch-size", "8"], "training.batch_size: 16 before, 8 now"),
        (["--epochs", "2", "--overwrite", "--head", "nope"], "Unknown head"),  # before the old run is removed
    ],
)
def test_finished_run_is_not_changed(finished, tiny_fit, refusal, options, message):
    before = outcome(finished)
    assert tiny_fit(finished, *options) == 2
    assert message in refusal()
    assert outcome(finished) == before and RunDirectory(finished).finished


def test_overwrite_replaces_the_run(finished, tiny_fit, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    (tmp_path / "run" / "old.txt").write_text("x")
    assert tiny_fit(tmp_path / "run", "--epochs", "1", "--overwrite") == 0
    assert not (tmp_path / "run" / "old.txt").exists() and len(read_csv(tmp_path / "run" / "history.csv")) == 1


def test_second_writer_is_an_error(tiny_fit, tmp_path, refusal):
    code = (
        "import sys\nfrom keras_radtl.runs.lock import locked\n"
        "with locked(sys.argv[1]):\n    print('in', flush=True)\n    sys.stdin.read()"
    )
    script = [sys.executable, "-c", code, str(tmp_path / "run")]
    with subprocess.Popen(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "in\n"
        assert tiny_fit(tmp_path / "run") == 2
    assert "Another process is writing" in refusal() and os.listdir(tmp_path) == []


def test_print_config_prints_a_configuration_file(capsys, tmp_path):
    assert main(["--print-config", "--epochs", "3"]) == 0
    text = capsys.readouterr().out
    (tmp_path / "c.json").write_text(text)
    assert main(["--print-config", "--config", str(tmp_path / "c.json")]) == 0
    assert capsys.readouterr().out == text and json.loads(text)["training"]["epochs"] == 3


def test_print_config_refuses_what_fit_refuses(capsys):
    for option, value in (("--feature-cache-size", "-1"), ("--feature-dtype", "int8"), ("--backbone", "nope")):
        assert main(["--print-config", option, value]) == 2
        found = capsys.readouterr()
        assert not found.out and found.err.startswith("error: ") and value in found.err


def test_default_folder_has_preset_or_data_and_hash():
    quickstart = Config.preset("quickstart")
    assert re.fullmatch(r"quickstart-[0-9a-f]{6}", default_output(quickstart).name)
    own = set_key(quickstart, "data.path", "/x/My Images (2).csv")
    assert re.fullmatch(r"my-images-2-[0-9a-f]{6}", default_output(own).name)
    assert (
        default_output(own) != default_output(set_key(own, "seed", 1))
        and default_output(own).parent.name == "saved_models"
    )


@pytest.fixture(scope="module")
def long_run(tiny_backbone, pictures, tmp_path_factory):
    """Return a command line without its output, and the outcome of an uninterrupted run."""
    options = "--backbone tiny --weights none --image-size 32 --head nonlinear --unfreeze all --batch-size 4"
    command = [
        *options.split(),
        "--data",
        str(pictures),
        "--epochs",
        str(EPOCHS),
        "--schedule",
        "cosine",
        "--learning-rate",
        "0.01",
    ]
    folder = tmp_path_factory.mktemp("long") / "run"
    assert main([*command, "--output", str(folder)]) == 0
    return command, outcome(folder)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_interrupted_command_resumes_to_the_same_bits(tiny_backbone, long_run, tmp_path, number):
    command, expected = long_run
    script = [sys.executable, str(tiny_backbone), *command, "--output", str(tmp_path / "run")]
    with subprocess.Popen(script, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "epoch 1/" in line:
                break
        process.send_signal(number)
        lines += process.stderr.readlines()
    state = checkpoint.load(RunDirectory(tmp_path / "run"))[0]
    assert 1 <= state.epoch < EPOCHS, "the signal came after the last epoch"
    if number == signal.SIGKILL:
        assert process.returncode == -number
    else:
        assert process.returncode == 128 + number
        saved = "1 epoch is saved" if state.epoch == 1 else f"{state.epoch} epochs are saved"
        where = f"stopped in epoch {state.epoch + 1}; {saved}"
        assert lines[-1] == f"{where}; run the same command to resume\n"
        assert "Traceback" not in "".join(lines)
    assert not RunDirectory(tmp_path / "run").finished
    if number == signal.SIGKILL:  # equal bits in another process
        subprocess.run(script, check=True, capture_output=True)
    else:
        assert main(script[2:]) == 0
    assert outcome(tmp_path / "run") == expected
    assert not list((tmp_path / "run").glob("checkpoint*")) and not list(tmp_path.rglob(".tmp-*"))
