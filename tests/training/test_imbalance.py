"""Class weights, sampling, focal loss and the best epoch, in whole runs of the tiny backbone."""

from __future__ import annotations

import numpy as np
import pytest

from keras_radtl.config import Config, update
from keras_radtl.runs.directory import RunDirectory
from keras_radtl.runs.files import read_csv, read_json
from keras_radtl.training.run_options import RunOptions

CONFIG = {
    "data": {"image_size": 16, "phantoms": {"count": 60, "image_size": 32}},
    "augment": {"rotation": 0},
    "model": {"backbone": "tiny", "weights": "none", "head": {"name": "linear"}},
    "training": {"epochs": 2, "batch_size": 16},
}


@pytest.fixture(scope="module")
def dataset(tiny_backbone, tmp_path_factory):
    """Return simulated images that all runs use."""
    from keras_radtl.training.train import load_data

    return load_data(update(Config(), CONFIG))


@pytest.fixture
def run(dataset, tmp_path):
    """Return a function from folder name and training options to the finished run."""
    from keras_radtl.training.train import train_run

    def go(where="run", reuse=True, **training) -> RunDirectory:
        config = update(update(Config(), CONFIG), {"training": training})
        return train_run(config, RunOptions(tmp_path / where, reuse=reuse, figures=False, save_model=False), dataset)

    return go


def logits(run):
    return [
        [float(row[name]) for name in row if name.startswith("logit_")]
        for row in read_csv(run / "predictions_test.csv")
    ]


def test_balanced_sampling_is_equal_with_pixels_and_activations(run, caplog):
    caplog.set_level("INFO")
    stored = run("stored", unfreeze="none", sampling="balanced")
    assert "balanced sampling: an epoch draws 15 cases of each of 3 classes" in caplog.text
    pixels = run("pixels", reuse=False, unfreeze="none", sampling="balanced")
    assert logits(stored) == logits(pixels)
    assert logits(stored) != logits(run("all", unfreeze="none"))  # not balanced


def test_class_weights_are_logged_and_change_the_result(run, caplog):
    caplog.set_level("INFO")
    weighted = run("weighted", class_weight="balanced")
    assert "class weights: benign 0." in caplog.text
    assert logits(weighted) != logits(run("plain"))


def test_focal_loss_in_training_and_validation(run):
    histories = [read_csv(run(str(gamma), loss="focal", focal_gamma=gamma) / "history.csv") for gamma in (0.0, 2.0)]
    plain = read_csv(run("plain") / "history.csv")
    assert [row["val_loss"] for row in histories[0]] == [row["val_loss"] for row in plain]
    for name in ("loss", "val_loss"):
        assert 0 < float(histories[1][0][name]) < 0.8 * float(plain[0][name])


@pytest.mark.parametrize(("monitor", "best"), [("val_loss", np.argmin), ("val_auc", np.argmax)])
def test_best_epoch_by_monitor(monitor, best, run):
    finished = run(monitor=monitor, epochs=4, learning_rate=0.05)
    summary, history = read_json(finished / "summary.json"), read_csv(finished / "history.csv")
    row = int(best([float(row[monitor]) for row in history]))
    assert summary["best_epoch"] == row + 1
    assert summary["best_val_auc"] == pytest.approx(float(history[row]["val_auc"]), rel=1e-8)  # 9 digits
    assert (summary["monitor"], summary["precision"], summary["jit_compile"]) == (monitor, "float32", False)


def test_patience_with_val_loss(run):
    finished = run(monitor="val_loss", epochs=6, patience=1, learning_rate=1e-12)
    losses = [float(row["val_loss"]) for row in read_csv(finished / "history.csv")]
    assert all(later < earlier for earlier, later in zip(losses[:-2], losses[1:-1], strict=True))
    assert len(losses) == 6 or losses[-1] >= losses[-2]


def test_penalty_of_the_head_is_not_in_the_validation_loss(dataset, tmp_path):
    from keras_radtl.training.train import train_run

    config = update(update(Config(), CONFIG), {"model": {"head": {"l2": 10.0, "input_dropout": 0.5}}})
    row = read_csv(train_run(config, RunOptions(tmp_path / "run", figures=False), dataset) / "history.csv")[0]
    assert float(row["loss"]) > float(row["penalty"]) > float(row["val_loss"])
