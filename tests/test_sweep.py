"""The command `sweep`: results equal those of single runs, interrupted sweeps resume, failed runs are named."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from keras_radtl.runs.files import read_csv, read_json
from keras_radtl.sweep import main

HEADS = """
    listed = []
    for head in ("linear", "nonlinear"):
        for rate in (1e-3, 1e-2):
            config = update(base, {"model": {"head": {"name": head}}, "training": {"learning_rate": rate}})
            listed.append(RunSpec(f"{head}-{rate:g}", config, {"clf": head, "learning_rate": rate}))
    return listed
"""


def rows_of(output):
    return {row["name"]: row for row in read_csv(output / "results.csv")}


@pytest.mark.slow
def test_a_sweep_equals_single_runs_and_is_not_repeated(tmp_path, write_list, capsys, tiny_backbone):
    from keras_radtl.sweeps.run_list import from_json
    from keras_radtl.training.run_options import RunOptions
    from keras_radtl.training.train import train_run

    output, path = tmp_path / "sweep", write_list(HEADS)
    assert main([str(path), "--output", str(output), "--epochs", "2", "--runs-per-process", "3"]) == 0
    rows = rows_of(output)
    assert list(rows) == ["linear-0.001", "linear-0.01", "nonlinear-0.001", "nonlinear-0.01"]
    assert {row["status"] for row in rows.values()} == {"finished"}
    assert {
        "clf",
        "learning_rate",
        "val_auc",
        "test_auc",
        "test_f1",
        "test_loss",
        "best_epoch",
        "seconds",
        "error",
    } <= set(rows["linear-0.01"])
    assert (output / "figures").is_dir() and not (output / "runs" / "linear-0.01" / "model.keras").exists()

    config = next(
        run.config for run in from_json(read_json(output / "plan.json")["runs"]) if run.name == "nonlinear-0.01"
    )
    alone = train_run(config, RunOptions(tmp_path / "alone", reuse=False))
    for name in ("predictions_test.csv", "history.csv"):
        assert (alone / name).read_bytes() == (output / "runs" / "nonlinear-0.01" / name).read_bytes(), name

    before, times = (output / "results.csv").read_bytes(), [p.stat().st_mtime_ns for p in output.rglob("status.json")]
    assert main([str(path), "--output", str(output), "--epochs", "2"]) == 0
    assert (output / "results.csv").read_bytes() == before
    assert [p.stat().st_mtime_ns for p in output.rglob("status.json")] == times
    assert main([str(path), "--output", str(output), "--epochs", "3"]) == 2, "other configurations do not mix"
    assert "training.epochs: 2 before, 3 now" in capsys.readouterr().err


@pytest.mark.slow
def test_failed_runs_are_named_and_the_others_finish(tmp_path, write_list, capsys):
    body = """
        many = update(base, {"split": {"folds": 100}})
        return [RunSpec("many", many, {"clf": "a"}), RunSpec("good", base, {"clf": "b"})]
    """
    output = tmp_path / "sweep"
    assert main([str(write_list(body)), "--output", str(output)]) == 1
    rows = rows_of(output)
    assert rows["many"]["status"] == "failed" and "folds" in rows["many"]["error"]
    assert rows["good"]["status"] == "finished" and np.isfinite(float(rows["good"]["test_auc"]))
    out = capsys.readouterr().out
    assert "failed: many (" in out and "1 finished, 1 failed" in out


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_sweep_resumes(tmp_path, write_list, number):
    output = tmp_path / "sweep"
    command = [sys.executable, "-m", "keras_radtl.sweep", str(write_list(HEADS)), "--output", str(output)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if line.startswith("[1/4]"):
                process.send_signal(number)
                break
        rest = process.stderr.read()
    assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL), rest
    finished = {
        p.parent.name: p.stat().st_mtime_ns for p in output.glob("runs/*/status.json") if '"finished"' in p.read_text()
    }
    assert 1 <= len(finished) < 4
    second = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=True, stdout=subprocess.DEVNULL)
    assert f"{len(finished)} finished before" in second.stderr
    assert {row["status"] for row in rows_of(output).values()} == {"finished"}
    for name, when in finished.items():
        assert (output / "runs" / name / "status.json").stat().st_mtime_ns == when, f"{name} was repeated"


@pytest.mark.slow
def test_a_run_whose_process_dies_is_tried_twice(tmp_path, write_list):
    body = """
        return [RunSpec("a", base, {"clf": "linear"}), RunSpec("b", update(base, {"seed": 1}), {"clf": "linear"})]
    """
    output = tmp_path / "sweep"
    command = [
        sys.executable,
        "-m",
        "keras_radtl.sweep",
        str(write_list(body)),
        "--output",
        str(output),
        "--epochs",
        "40",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        _wait_for(output / "runs" / "a" / "status.json")
        worker = _child_of(process.pid)
        os.kill(worker, signal.SIGKILL)
        told = process.stderr.read()
    assert process.returncode == 0, told
    assert "SIGKILL" in told and "tried once more" in told
    assert re.search(r"2 runs: about \d+:\d\d on this machine", told.split("SIGKILL")[0]), "before the first run"
    assert {row["status"] for row in rows_of(output).values()} == {"finished"}


def _child_of(parent: int) -> int:
    (child,) = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return int(child)


def _wait_for(path, seconds: float = 60.0):
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} was not written"
        time.sleep(0.02)


def test_options_that_the_list_sets_are_refused(write_list, tmp_path, capsys):
    path = str(write_list(HEADS))
    assert main([path, "--head", "conv", "--output", str(tmp_path / "x")]) == 2
    assert "--head is set by the list of runs" in capsys.readouterr().err
    assert main([path, "--set", "training.learning_rate=0.5", "--output", str(tmp_path / "x")]) == 2
    assert "--learning-rate is set by the list of runs" in capsys.readouterr().err
    assert main(["grid176", "--tasks", "breast", "--data", "phantoms", "--head", "conv"]) == 2
    assert "its own options are --tasks, --pretraining, --backbones, --schedules, --heads" in capsys.readouterr().err
    assert main([path, "--runs-per-process", "0"]) == 2
    assert main([path, "--ray-address", "auto", "--output", str(tmp_path / "x")]) == 2
    assert "--ray-address needs --engine ray" in capsys.readouterr().err
    assert main(["--epochs", "3"]) == 2
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("body", "attributes", "message"),
    [
        ("return (", "", "line 11: SyntaxError: '(' was never closed"),
        ("return 3", "", "`runs` must return a list of RunSpec. Received: 3"),
        ("return [base]", "", "`runs` must return a list of RunSpec. Received an item Config"),
        ("return []", "", "The sweep has no runs"),
        ("return [RunSpec('a', base)]", "", "line 11: TypeError: "),
        ("return [RunSpec('a', {}, {})]", "", "line 11: `config` must be a Config"),
        ("raise SystemExit(7)", "", "line 11: SystemExit(7): a list of runs must not end the process"),
        ("return []", "import sys\nsys.exit(7)\n", "SystemExit(7): a list of runs must not end"),
        ("return []", "FACTORS = 3\n", "FACTORS must be a tuple of Factor. Received: 3"),
        ("return choices.rates", "", "line 11: AttributeError: The study has no factor 'rates'"),
        ("return [RunSpec('a', update(base, {'training': {'epochs': 0}}), {})]", "", "line 11: --epochs must be"),
    ],
)
def test_mistakes_in_a_list_are_one_line(write_list, tmp_path, refusal, body, attributes, message):
    path = write_list(body, attributes)
    assert main([str(path), "--dry-run", "--output", str(tmp_path / "x")]) == 2
    text = refusal()
    assert message in text and len(text) <= 301 and (str(path) in text or "no runs" in text)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_a_run_that_cannot_work_is_refused_before_the_first_run(tmp_path, refusal, options):
    command = ["fts", "--data", "phantoms", "--backbones", "EfficientNet-Lite0", "--strategies", "lp", "g_lf"]
    assert main([*command, "--epochs", "4", "--output", str(tmp_path / "x"), *options]) == 2
    assert "--epochs must be at least 10, one for each phase of the strategy. Received: epochs=4" in refusal()
    assert not (tmp_path / "x").exists()


def test_a_factor_with_the_name_of_an_option_is_refused(write_list, capsys):
    factor = "from keras_radtl.sweeps.study import Factor\nFACTORS = (Factor('epochs', (1, 2), 'epochs'),)\n"
    assert main([str(write_list("return []", factor))]) == 2
    assert "the command has this option already: argument --epochs" in capsys.readouterr().err


@pytest.mark.slow
def test_a_dry_run_lists_and_writes_nothing(write_list, tmp_path, capsys):
    assert main([str(write_list(HEADS)), "--dry-run", "--output", str(tmp_path / "x")]) == 0
    found = capsys.readouterr()
    assert found.out.split() == ["linear-0.001", "linear-0.01", "nonlinear-0.001", "nonlinear-0.01"]
    assert re.search(r"^4 runs: disk: activations .* GB free$", found.err, re.M)
    assert re.search(r"^4 runs: about \d+:\d\d on this machine$", found.err, re.M)
    assert not (tmp_path / "x").exists()
