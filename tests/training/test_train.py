"""Whole runs: their files, equal bits for equal seeds, and resuming after interruptions and disk errors."""

from __future__ import annotations

import csv
import errno
import io
import os
import shutil

import numpy as np
import pytest

from keras_radtl.config import UserError
from keras_radtl.runs import directory
from keras_radtl.runs.directory import RunDirectory
from keras_radtl.runs.files import read_csv, read_json

LP_FT = {"strategy": "lp_ft", "phase_epochs": [2, 2]}
SLOW = pytest.mark.slow


@pytest.fixture(scope="module")
def whole(go, tmp_path_factory, outcome):
    """Return a function from training options to the outcome of an uninterrupted run, which is trained once."""
    done = {}

    def get(training, values=None):
        key = repr((training, values))
        if key not in done:
            done[key] = outcome(go(tmp_path_factory.mktemp("whole") / "run", training, values))
        return done[key]

    return get


def test_files_of_a_run(go, tmp_path):
    run = go(tmp_path / "run", {"epochs": 1})
    assert sorted(file.name for file in run.iterdir()) == [
        "config.json", "environment.json", "history.csv", "metrics.json", "model.keras", "predictions_test.csv",
        "predictions_train.csv", "predictions_val.csv", "split.csv", "status.json", "summary.json",
    ]  # fmt: skip
    assert RunDirectory(run).finished and os.listdir(tmp_path) == ["run"]


def test_equal_seeds_give_equal_bits(whole, go, tmp_path, outcome):
    first = whole(LP_FT)
    assert outcome(go(tmp_path / "again", LP_FT)) == first
    other = outcome(go(tmp_path / "other", LP_FT, {"seed": 1}))
    for name in ("history.csv", "predictions_test.csv", "."):
        assert other[name] != first[name]


@pytest.mark.parametrize("training", [pytest.param({"unfreeze": "top1"}, marks=SLOW), LP_FT], ids=["top1", "lp_ft"])
def test_stored_activations_do_not_change_the_result(whole, go, tmp_path, outcome, training):
    assert outcome(go(tmp_path / "run", training, reuse=False)) == whole(training)


@pytest.mark.slow
def test_stored_activations_do_not_change_a_residual_network(go, tmp_path, outcome):
    """The arithmetic optimizer of TensorFlow would reorder additions differently in a part of the model."""
    model, training = {"backbone": "resnet50", "head": {"name": "linear"}}, {"unfreeze": "top1", "epochs": 1}
    values = {"model": model, "data": {"image_size": 32}}
    stored, pixels = (
        outcome(go(tmp_path / name, training, values, dataset=None, reuse=reuse, save_model=False))
        for name, reuse in (("stored", True), ("pixels", False))
    )
    assert stored == pixels


PLAIN = {"augment": {"rotation": 0, "shift": 0, "shear": 0, "zoom": 0, "horizontal_flip": False}}


@pytest.mark.parametrize(
    "training",
    [pytest.param({"unfreeze": "top1"}, marks=SLOW), {"unfreeze": "none", "batch_size": 8}],
    ids=["top1", "none"],
)
def test_shared_activations_of_unaugmented_epochs_do_not_change_the_result(go, tmp_path, outcome, training):
    stored, pixels = (outcome(go(tmp_path / str(reuse), training, PLAIN, reuse=reuse)) for reuse in (True, False))
    assert stored == pixels


@pytest.mark.slow
@pytest.mark.parametrize(("backbone", "unfreeze"), [("efficientnet_lite0", "none"), ("resnet50", "top1")])
def test_shared_activations_do_not_change_real_backbones(go, tmp_path, outcome, backbone, unfreeze):
    model = {"backbone": backbone, "head": {"name": "linear"}}
    values = {"model": model, "data": {"image_size": 32}, **PLAIN}
    stored, pixels = (
        outcome(go(tmp_path / str(r), {"unfreeze": unfreeze, "epochs": 2}, values, None, reuse=r, save_model=False))
        for r in (True, False)
    )
    assert stored == pixels


@pytest.mark.parametrize(
    ("training", "epochs"),
    [
        pytest.param(LP_FT, [0, 2], marks=SLOW),
        pytest.param(LP_FT, [1], id="lp_ft"),
        pytest.param(LP_FT, [3], marks=SLOW),
        pytest.param({"optimizer": "sgd", "weight_decay": 0.01, "weight_decay_mode": "coupled"}, [3], marks=SLOW),
        pytest.param({"strategy": "auto_rgn", "optimizer": "adamw", "schedule": "cosine"}, [2], marks=SLOW),
        pytest.param({"strategy": "auto_rgn", "auto_rgn": "tensor", "batch_size": 8, "epochs": 2}, [1], marks=SLOW),
        pytest.param({"strategy": "l2_sp", "optimizer": "radam"}, [2], marks=SLOW),
        pytest.param({"strategy": "g_fl", "patience": 1, "phase_epochs": [3, 3, 3]}, [2], marks=SLOW),
        pytest.param(
            {"strategy": "g_fl", "decay_bias_and_norm": False, "weight_decay": 0.3, "phase_epochs": [1, 2, 1]},
            [2],
            marks=SLOW,
        ),
    ],
)
def test_interrupted_run_resumes_to_the_same_bits(whole, go, tmp_path, outcome, stop_in, training, epochs):
    for epoch in epochs:
        with stop_in(epoch):
            go(tmp_path / "run", training)
        assert not RunDirectory(tmp_path / "run").finished
    assert outcome(go(tmp_path / "run", training)) == whole(training)


def test_early_stop_of_a_phase_starts_the_next(whole):
    text = whole({"strategy": "g_fl", "patience": 1, "phase_epochs": [3, 3, 3]})["history.csv"]
    rows = list(csv.DictReader(io.StringIO(text)))
    phases = [row["phase"].strip("'+") for row in rows]
    assert list(dict.fromkeys(phases)) == ["stem", "middle", "last"]
    assert len(phases) < 9
    assert [int(row["epoch"]) for row in rows] == list(range(1, len(rows) + 1))


def test_early_stop_of_the_run_skips_later_phases(whole):
    training = {"strategy": "g_fl", "total_patience": 1, "phase_epochs": [8, 8, 8]}
    rows = list(csv.DictReader(io.StringIO(whole(training)["history.csv"])))
    values = [float(row["val_auc"].strip("'+")) for row in rows]
    better = [i for i, value in enumerate(values) if value > max(values[:i], default=-1)]
    assert better == list(range(len(values) - 1)), "the first epoch without improvement is the last"
    assert len(values) < 24


@pytest.mark.slow
def test_run_resumes_after_disk_errors_to_the_same_bits(whole, go, tmp_path, outcome, monkeypatch):
    """Raise a disk error at the k-th rename of several attempts; the finished run has the same bits."""
    failing, count, attempts = 0, 0, 0
    real = os.replace

    def replace(*arguments):
        nonlocal count
        count += 1
        if count >= failing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*arguments)

    for failing in (3, 4, 6, 8, 7):
        count = 0
        with monkeypatch.context() as patch:
            patch.setattr(directory.os, "replace", replace)
            try:
                go(tmp_path / "run", LP_FT)
                break
            except OSError as error:
                attempts += 1
                assert error.errno == errno.ENOSPC and count >= failing
        assert not list(tmp_path.rglob(".tmp-*")) and not RunDirectory(tmp_path / "run").finished
    assert attempts >= 3
    assert outcome(go(tmp_path / "run", LP_FT)) == whole(LP_FT)


def test_run_does_not_resume_with_other_data(go, tmp_path, stop_in, pictures, configure, tiny_data):
    from keras_radtl.training.run_options import RunOptions
    from keras_radtl.training.train import train_run

    folder = tmp_path / "data"
    shutil.copytree(pictures, folder)
    config = configure({"data": {"path": str(folder)}})
    with stop_in(1):
        train_run(config, RunOptions(tmp_path / "run", figures=False))
    first, second, *_ = sorted((folder / "benign mass").iterdir())
    shutil.copy(first, second)
    with pytest.raises(UserError, match="cannot be resumed: data_sha256: .* `overwrite=True` starts over"):
        train_run(config, RunOptions(tmp_path / "run", figures=False))


def test_model_of_the_best_epoch_is_saved(go, tmp_path):
    """The validation AUC of the predictions is that of the best epoch, not of the last."""
    run = go(tmp_path / "run", {"epochs": 6, "learning_rate": 0.3})
    history, summary = read_csv(run / "history.csv"), read_json(run / "summary.json")
    values = [float(row["val_auc"]) for row in history]
    assert summary["best_epoch"] == values.index(max(values)) + 1 and summary["epochs"] == 6
    assert read_json(run / "metrics.json")["val"]["auc"]["value"] == pytest.approx(max(values), abs=1e-12)


def test_saved_model_reproduces_the_predictions(go, tmp_path, tiny_data):
    import keras

    run = go(tmp_path / "run", {"epochs": 1})
    model = keras.saving.load_model(run / "model.keras", compile=False)
    rows = {row["case"]: row for row in read_csv(run / "predictions_test.csv")}
    cases = [i for i, case in enumerate(tiny_data.cases.cases) if case in rows]
    expected = [
        [float(rows[tiny_data.cases.cases[i]][f"logit_{name}"]) for name in tiny_data.cases.classes] for i in cases
    ]
    np.testing.assert_allclose(model.predict(tiny_data.pixels[cases], verbose=0), expected, atol=1e-5)


@pytest.fixture(scope="module")
def folds(tiny_backbone, configure, tmp_path_factory):
    """Return a function from a folder to the path of a run with three folds."""
    from keras_radtl.training.run_options import RunOptions
    from keras_radtl.training.train import load_data, train_run

    config = configure({"split": {"folds": 3}, "training": {"epochs": 2}})
    dataset = load_data(config)
    return lambda folder: train_run(config, RunOptions(folder, figures=False), dataset).path


@pytest.mark.slow
def test_each_case_is_a_test_case_of_one_fold(folds, tmp_path_factory, outcome, stop_in, tiny_data):
    run = folds(tmp_path_factory.mktemp("folds") / "whole")
    pooled = read_csv(run / "predictions_test.csv")
    assert [row["case"] for row in pooled] == list(tiny_data.cases.cases)
    split = {row["case"]: row for row in read_csv(run / "split.csv")}
    for fold in (1, 2, 3):
        tested = read_csv(run / f"fold_{fold}" / "predictions_test.csv")
        assert {row["case"] for row in tested} == {case for case, row in split.items() if row[f"fold_{fold}"] == "test"}
        by_case = {row["case"]: row for row in pooled}
        assert all(by_case[row["case"]] == row for row in tested)
    summary = read_json(run / "summary.json")
    for fold in (1, 2, 3):
        assert summary["fold_auc"][fold - 1] == read_json(run / f"fold_{fold}" / "metrics.json")["test"]["auc"]["value"]
    again = tmp_path_factory.mktemp("folds") / "stopped"
    _stop_in_fold_two(folds, again, stop_in)
    assert RunDirectory(again / "fold_1").finished and not RunDirectory(again / "fold_2").finished
    assert outcome(folds(again)) == outcome(run)


def _stop_in_fold_two(folds, folder, stop_in):
    from keras_radtl.training import phase_loop as fitting

    real, started = fitting.fit, []

    def fit(job, model, initial):
        started.append(job.split.fold)
        if job.split.fold == 2:
            with stop_in(1):
                real(job, model, initial)
            raise KeyboardInterrupt
        return real(job, model, initial)

    fitting.fit = fit
    try:
        with pytest.raises(KeyboardInterrupt):
            folds(folder)
    finally:
        fitting.fit = real
    assert started == [1, 2]
