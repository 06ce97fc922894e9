"""The command `fit`: runs, refusals in one line with nothing left behind, and real signals in real processes."""

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

from keras_radtl.config import set_key
from keras_radtl.fit import default_output, main
from keras_radtl.presets import get_preset
from keras_radtl.runs import checkpoint
from keras_radtl.runs.directory import RunDirectory, locked, read_csv, read_json

outcome = runpy.run_path(str(Path(__file__).parent / "runs" / "outcome.py"))["outcome"]
EPOCHS = 12


@pytest.fixture(scope="module")
def finished(tiny_fit, tmp_path_factory):
    """Return a finished run of the tiny backbone."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    assert tiny_fit(folder, "--epochs", "2") == 0
    return folder


def test_a_run_ends_with_a_table_and_its_paths(finished, tiny_fit, capsys):
    assert tiny_fit(finished, "--epochs", "2", "--resume") == 0  # shows it again
    out = capsys.readouterr().out
    assert re.search(r"^auc +\d\.\d{3}", out, re.MULTILINE) and "best epoch" in out
    for name in ("model.keras", "figures", str(finished)):
        assert name in out
    assert sorted(file.name for file in (finished / "figures").iterdir()) == [
        "confusion.png", "history.png", "images.png", "roc.png",
    ]  # fmt: skip
    metrics = read_json(finished / "metrics.json")
    assert set(metrics) == {"train", "val", "test"} and set(metrics["test"]["auc"]) == {"value", "ci_low", "ci_high", "n", "method"}


def test_the_run_records_versions_and_hashes_of_data_and_split(finished):
    record = read_json(finished / "environment.json")
    assert len(record["data_sha256"]) == len(record["split_sha256"]) == 64 and record["packages"]["keras"]


def test_names_with_spaces_and_brackets_are_kept(finished):
    rows = read_csv(finished / "predictions_test.csv")
    assert {row["label"] for row in rows} == {"benign mass", "malignant [sic] (2)"}
    assert all("prob_malignant [sic] (2)" in row for row in rows)


def refusal(capsys) -> str:
    """Return the one line on stderr."""
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and err.startswith("error: ") and "Traceback" not in err, err
    return err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--epochs", "2"], "holds a finished run; name another --output, --overwrite it, or show it again with --resume"),
        (["--epochs", "3"], "another configuration (training.epochs: 2 there, 3 now)"),
        (["--epochs", "3", "--resume"], "training.epochs: 2 there, 3 now"),
        (["--epochs", "2", "--backbone", "nope"], "model.backbone: 'tiny' there, 'nope' now"),
        (["--epochs", "2", "--overwrite", "--head", "nope"], "Unknown head"),  # refused before the old run goes
    ],
)
def test_a_finished_run_is_not_touched_by_mistake(finished, tiny_fit, capsys, options, message):
    before = outcome(finished)
    assert tiny_fit(finished, *options) == 2
    assert message in refusal(capsys)
    assert outcome(finished) == before and RunDirectory(finished).finished


def test_overwrite_replaces_the_run(finished, tiny_fit, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    (tmp_path / "run" / "old.txt").write_text("x")
    assert tiny_fit(tmp_path / "run", "--epochs", "1", "--overwrite") == 0
    assert not (tmp_path / "run" / "old.txt").exists() and len(read_csv(tmp_path / "run" / "history.csv")) == 1


def test_a_second_writer_is_refused(tiny_fit, tmp_path, capsys):
    code = (
        "import sys\nfrom keras_radtl.runs.directory import locked\n"
        "with locked(sys.argv[1]):\n    print('in', flush=True)\n    sys.stdin.read()"
    )
    script = [sys.executable, "-c", code, str(tmp_path / "run")]
    with subprocess.Popen(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "in\n"
        assert tiny_fit(tmp_path / "run") == 2
    assert "Another process is writing" in refusal(capsys) and os.listdir(tmp_path) == []


def test_print_config_is_a_configuration_file(capsys, tmp_path):
    assert main(["--print-config", "--epochs", "3"]) == 0
    text = capsys.readouterr().out
    (tmp_path / "c.json").write_text(text)
    assert main(["--print-config", "--config", str(tmp_path / "c.json")]) == 0
    assert capsys.readouterr().out == text and json.loads(text)["training"]["epochs"] == 3


def test_the_default_folder_is_named_by_preset_or_data_and_configuration():
    quickstart = get_preset("quickstart")
    assert re.fullmatch(r"quickstart-[0-9a-f]{6}", default_output(quickstart).name)
    own = set_key(quickstart, "data.path", "/x/My Images (2).csv")
    assert re.fullmatch(r"my-images-2-[0-9a-f]{6}", default_output(own).name)
    assert default_output(own) != default_output(set_key(own, "seed", 1)) and default_output(own).parent.name == "saved_models"


OPTIONS = {
    "no such path": (["--data", "absent"], "absent"),
    "unknown option": (["--colour", "red"], "unrecognized arguments: --colour red"),
    "unknown key": (["--set", "training.speed=3"], "Unknown configuration key `training.speed`"),
    "unknown preset": (["--preset", "nope"], "Unknown preset `nope`"),
    "unknown backbone": (["--backbone", "nope"], "Unknown backbone 'nope'. Known: resnet50"),
    "unknown head": (["--head", "nope"], "nope"),
    "unknown weights": (["--weights", "nope"], "Unknown weights 'nope'"),
    "unknown scaling": (["--scaling", "nope"], "nope"),
    "unknown optimizer": (["--optimizer", "nope"], "Unknown optimizer `nope`. Known: adam"),
    "unknown strategy": (["--strategy", "nope"], "Unknown strategy `nope`. Known: fixed"),
    "unknown precision": (["--precision", "nope"], "nope"),
    "unknown positive class": (["--positive", "nope"], "nope"),
    "weights that are not there": (["--weights", "absent.pt"], "No such weight file: absent.pt"),
    "no weights for this backbone": (["--weights", "radimagenet"], "no RadImageNet weights for Tiny"),
    "too many groups": (["--unfreeze", "top9"], "`unfreeze` must be at most top3"),
    "a rate of 0": (["--learning-rate", "0"], "`learning_rate` must be > 0"),
    "a negative rate": (["--learning-rate", "-0.1"], "`learning_rate` must be > 0"),
    "a decay below 0": (["--weight-decay", "-1"], "`weight_decay` must be >= 0"),
    "a batch of 0": (["--batch-size", "0"], "`batch_size` must be >= 1"),
    "fewer epochs than phases": (["--strategy", "g_lf", "--epochs", "2"], "`epochs` must be at least 4"),
    "images below the minimum": (["--backbone", "efficientnet_lite0", "--image-size", "16"], "`image_size` must be at least"),
    "no graphics card": (["--device", "gpu"], "No GPU was found"),
    "more folds than cases": (["--folds", "50"], "in 30 group(s)"),
    "a cache below 0": (["--feature-cache-size", "-1"], "feature_cache_size"),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_wrong_options_are_one_line_and_leave_nothing(tiny_fit, tmp_path, capsys, monkeypatch, case):
    import tensorflow as tf

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda *_: [])
    options, message = OPTIONS[case]
    assert tiny_fit(tmp_path / "run", *options) == 2
    assert message in refusal(capsys)
    assert os.listdir(tmp_path) == []


def broken_empty(folder):
    shutil.rmtree(folder)
    folder.mkdir()


def broken_one_class(folder):
    shutil.rmtree(folder / "benign mass")


def broken(change):
    def make(folder):
        file = sorted((folder / "benign mass").iterdir())[0]
        file.write_bytes(change(file.read_bytes()))

    return make


FOLDERS = {
    "empty folder": (broken_empty, ""),
    "one class": (broken_one_class, ""),
    "truncated image": (broken(lambda content: content[: len(content) // 2]), "benign mass (0).png"),
    "zero bytes": (broken(lambda content: b""), "benign mass (0).png"),
    "text with an image's name": (broken(lambda content: b"no image"), "benign mass (0).png"),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_bad_folders_are_one_line_and_leave_nothing(tiny_fit, pictures, tmp_path, capsys, case):
    breaking, message = FOLDERS[case]
    shutil.copytree(pictures, tmp_path / "data")
    breaking(tmp_path / "data")
    assert tiny_fit(tmp_path / "run", "--data", str(tmp_path / "data")) == 2
    assert message in refusal(capsys) and os.listdir(tmp_path) == ["data"]


def test_bad_images_can_be_left_out_by_name(tiny_fit, pictures, tmp_path):
    shutil.copytree(pictures, tmp_path / "data")
    FOLDERS["zero bytes"][0](tmp_path / "data")
    options = ("--epochs", "1", "--on-bad-image", "skip")
    assert tiny_fit(tmp_path / "run", "--data", str(tmp_path / "data"), *options) == 0
    (row,) = read_csv(tmp_path / "run" / "rejected.csv")
    assert row["path"] == "benign mass/benign mass (0).png" and row["reason"]


def rows_of(pictures, **extra):
    files = sorted(pictures.rglob("*.png"))
    return [{"path": str(file.relative_to(pictures)), "label": file.parent.name, **extra} for file in files]


def patient_in_two_parts(rows):
    for number, row in enumerate(rows):
        row["patient"], row["split"] = f"p{number // 2}", ("train", "val", "test")[number % 3]


TABLES = {
    "no label column": (lambda rows: [row.pop("label") for row in rows], [], "label"),
    "a label column that is not there": (lambda rows: None, ["--label", "finding"], "finding"),
    "a missing file": (lambda rows: rows[3].update(path="absent.png"), [], "absent.png"),
    "an empty label": (lambda rows: rows[3].update(label=""), [], ""),
    "a path out of the folder": (lambda rows: rows[3].update(path="../secret.png"), [], "../secret.png"),
    "an absolute path": (lambda rows: rows[3].update(path="/etc/passwd"), [], "/etc/passwd"),
    "one label": (lambda rows: [row.update(label="x") for row in rows], [], ""),
    "a patient in two parts": (patient_in_two_parts, [], "Group `p0`"),
    "an unknown part": (lambda rows: [row.update(split="holdout") for row in rows], [], "holdout"),
}


@pytest.mark.parametrize("case", TABLES)
def test_bad_tables_are_one_line_and_leave_nothing(tiny_fit, pictures, tmp_path, capsys, case):
    import csv

    change, options, message = TABLES[case]
    rows = rows_of(pictures)
    change(rows)
    shutil.copytree(pictures, tmp_path / "data")
    with open(tmp_path / "data" / "cases.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    assert tiny_fit(tmp_path / "run", "--data", str(tmp_path / "data" / "cases.csv"), *options) == 2
    assert message in refusal(capsys) and os.listdir(tmp_path) == ["data"]


@pytest.mark.parametrize("name", ["weights.h5", "weights.pt", "weights.keras", "weights.weights.h5"])
def test_weights_that_are_none_are_one_line_and_leave_nothing(tiny_fit, tmp_path, capsys, name):
    (tmp_path / name).write_bytes(b"no weights")
    assert tiny_fit(tmp_path / "run", "--backbone", "efficientnet_lite0", "--weights", str(tmp_path / name)) == 2
    assert name in refusal(capsys) and os.listdir(tmp_path) == [name]


def test_an_output_that_is_something_else(tiny_fit, tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    assert tiny_fit(tmp_path / "file") == 2
    assert "is a file; name a folder" in refusal(capsys)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("x")
    assert tiny_fit(tmp_path / "other", "--overwrite") == 2
    assert "other files in it" in refusal(capsys) and (tmp_path / "other" / "thesis.tex").exists()


@pytest.mark.parametrize(("code", "text"), [(28, "No space left on device"), (30, "Read-only file system")])
@pytest.mark.parametrize("where", ["before the first file", "at the first checkpoint", "in the feature store"])
def test_a_disk_that_cannot_be_written_is_one_line(tiny_fit, tmp_path, capsys, monkeypatch, code, text, where):
    from keras_radtl.data.feature_store import FeatureStore
    from keras_radtl.runs import directory

    def fail(*_, **__):
        raise OSError(code, text, "x")

    patches = {
        "before the first file": (directory.os, "fsync"),
        "at the first checkpoint": (checkpoint.np, "savez"),
        "in the feature store": (FeatureStore, "_new"),
    }
    monkeypatch.setattr(*patches[where], fail)
    monkeypatch.setenv("KERAS_RADTL_CACHE", str(tmp_path / "cache"))
    assert tiny_fit(tmp_path / "run", "--unfreeze", "top1") == 2
    assert text in refusal(capsys)
    assert (where == "before the first file") == (not (tmp_path / "run").exists())
    assert not list(tmp_path.rglob(".tmp-*"))


@pytest.fixture(scope="module")
def long_run(tiny_backbone, pictures, tmp_path_factory):
    """Return the command line without its output, and the outcome of the run when nothing disturbs it."""
    options = "--backbone tiny --weights none --image-size 32 --head nonlinear --unfreeze all --batch-size 4 --schedule cosine"
    command = [*options.split(), "--data", str(pictures), "--epochs", str(EPOCHS), "--learning-rate", "0.01"]
    folder = tmp_path_factory.mktemp("long") / "run"
    assert main([*command, "--output", str(folder)]) == 0
    return command, outcome(folder)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_after_a_signal_the_same_command_goes_on_to_the_same_bits(tiny_backbone, long_run, tmp_path, number):
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
    assert 1 <= state.epoch < EPOCHS, "the signal came too late to show anything"
    if number == signal.SIGKILL:
        assert process.returncode == -number
    else:
        assert process.returncode == 128 + number
        saved = f"stopped in epoch {state.epoch + 1}; {state.epoch} finished epochs are saved; the same command goes on from there\n"
        assert lines[-1] == saved and "Traceback" not in "".join(lines)
    assert not RunDirectory(tmp_path / "run").finished
    if number == signal.SIGKILL:  # one in a process of its own: equal bits across processes
        subprocess.run(script, check=True, capture_output=True)
    else:
        assert main(script[2:]) == 0
    assert outcome(tmp_path / "run") == expected
    assert not list((tmp_path / "run").glob("checkpoint*")) and not list(tmp_path.rglob(".tmp-*"))
