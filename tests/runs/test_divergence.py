"""Which models have diverged: far worse on their training cases than equal probabilities; how their results say so."""

from __future__ import annotations

import logging
import math

import numpy as np
import pytest
from sklearn.metrics import log_loss

from keras_radtl.models.probabilities import to_probabilities
from keras_radtl.runs.divergence import ADVICE, MARK, constant_loss, has_diverged, marked, training_loss
from keras_radtl.runs.files import read_csv, read_json, write_json
from keras_radtl.runs.run import load_run

RANDOM = np.random.default_rng(0)
TARGETS = np.arange(300) % 3
RIGHT = 4.0 * np.eye(3)[TARGETS] + RANDOM.normal(0, 1, (300, 3))


def test_training_loss_is_the_cross_entropy_of_known_cases():
    expected = log_loss(TARGETS, to_probabilities(RIGHT, False))
    assert training_loss(RIGHT, TARGETS, False) == pytest.approx(expected)
    unknown, logits = np.append(TARGETS, -1), np.append(RIGHT, [[1e9, 0, 0]], axis=0)
    assert training_loss(logits, unknown, False) == pytest.approx(expected)


def test_constant_loss_is_that_of_equal_logits():
    assert constant_loss(3, False) == pytest.approx(training_loss(np.zeros((300, 3)), TARGETS, False))
    labels = np.array([[1, 0], [np.nan, 1], [0, 0]])
    assert constant_loss(2, True) == pytest.approx(training_loss(np.zeros((3, 2)), labels, True)) == math.log(2)


@pytest.mark.parametrize(
    ("logits", "diverged"),
    [
        (RIGHT, False),  # a good model
        (RANDOM.normal(0, 2, (300, 3)), False),  # an untrained model
        (12 * np.eye(3)[(TARGETS + (np.arange(300) % 4 == 0)) % 3], False),  # overconfident, a quarter is wrong
        (np.tile([0.0, 0.0, 20.0], (300, 1)), True),  # certain of one class
        (1e5 * RIGHT + RANDOM.normal(0, 1e6, (300, 3)), True),
        (np.where(TARGETS[:, None] == 0, 3e38, -3e38) * [0, 1, 1], True),
    ],
)
def test_which_models_have_diverged(logits, diverged):
    assert has_diverged(training_loss(logits, TARGETS, False), 3, False) is diverged


def test_a_model_of_balanced_weights_on_a_rare_class_has_not_diverged():
    """Its loss is more than ten times the entropy of the labels, but it is not worse than equal probabilities."""
    targets = (np.arange(1000) < 5).astype(int)
    logits = np.zeros((1000, 2))
    entropy = log_loss(targets, np.full(1000, 0.005))
    assert training_loss(logits, targets, False) > 10 * entropy
    assert not has_diverged(training_loss(logits, targets, False), 2, False)


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_has_diverged(loss):
    assert has_diverged(loss, 2, False)


def test_every_metric_is_marked():
    metrics = {name: {"value": 0.5, "method": name} for name in ("Wilson", "undefined: no case")}
    assert marked(metrics, False) == metrics
    found = marked(metrics, True)
    assert [metric["method"] for metric in found.values()] == [name + MARK for name in metrics]
    assert [metric["value"] for metric in found.values()] == [0.5, 0.5]


HEAD = {"unfreeze": "none", "epochs": 2, "schedule": "constant"}


def methods(folder):
    return [m["method"] for split in read_json(folder / "metrics.json").values() for m in split.values()]


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


@pytest.fixture(scope="module")
def diverged(go, tmp_path_factory):
    return go(tmp_path_factory.mktemp("diverged") / "run", {**HEAD, "learning_rate": 1e6})


def test_a_diverged_run_says_so_in_its_files(diverged):
    summary = read_json(diverged / "summary.json")
    assert summary["diverged"] is True and all(method.endswith(MARK) for method in methods(diverged))
    rows = read_csv(diverged / "predictions_train.csv")
    names = [name for name in rows[0] if name.startswith("logit_")]
    logits = np.array([[float(row[name]) for name in names] for row in rows])
    targets = np.array([names.index(f"logit_{row['label']}") for row in rows])
    expected = np.mean(np.logaddexp.reduce(logits, axis=1) - logits[np.arange(len(rows)), targets])
    assert summary["train_loss"] == pytest.approx(expected) and expected > 1e3


def test_a_diverged_run_says_so_when_it_is_trained(go, tmp_path, caplog):
    run = go(tmp_path / "run", {**HEAD, "learning_rate": 1e6})
    epoch = read_json(run / "summary.json")["best_epoch"]
    (line,) = [text for text in warnings(caplog) if "diverged" in text]
    assert line.startswith(f"the training diverged: the loss of epoch {epoch} on training cases is ")
    assert line.endswith(", that of equal probabilities 0.693; use a lower learning rate")


def test_a_diverged_run_says_so_when_it_is_used(diverged, pictures, tmp_path, capsys, caplog):
    from keras_radtl.evaluate import main as evaluate
    from keras_radtl.predict import main as predict

    assert evaluate([str(diverged)]) == 0 and f"WARNING: {ADVICE}" in capsys.readouterr().out
    assert evaluate([str(diverged), "--data", str(pictures), "--output", str(tmp_path / "new")]) == 0
    assert f"WARNING: {ADVICE}" in capsys.readouterr().out
    assert all(method.endswith(MARK) for method in methods(tmp_path / "new"))
    caplog.clear()
    assert predict([str(diverged), str(pictures), "--output", str(tmp_path / "new.csv")]) == 0
    assert warnings(caplog) == [ADVICE]
    run = load_run(diverged)
    assert run.notes[0] == f"WARNING: {ADVICE}" and repr(run).endswith(", diverged)") and ADVICE in run._repr_html_()
    caplog.clear()
    assert run.evaluate(pictures).notes[0] == f"WARNING: {ADVICE}" and ADVICE in warnings(caplog)


def test_a_bad_epoch_that_is_not_selected_has_no_consequence(go, tmp_path, monkeypatch, caplog):
    """The learning rate of the second epoch is 1e6; the validation loss selects the first."""
    from keras_radtl.training import phase_loop

    monkeypatch.setattr(phase_loop, "learning_rate", lambda schedule, rate, epoch, epochs: (1e-3, 1e6)[epoch])
    run = go(tmp_path / "run", {**HEAD, "epochs": 2, "monitor": "val_loss"})
    rows = read_csv(run / "history.csv")
    assert float(rows[1]["val_loss"]) > 1e3 and read_json(run / "summary.json")["best_epoch"] == 1
    assert read_json(run / "summary.json")["diverged"] is False and not any(MARK in method for method in methods(run))
    assert not any("diverged" in text for text in warnings(caplog))


def test_one_diverged_fold_marks_the_pooled_metrics(go, tmp_path, monkeypatch):
    from keras_radtl.training import train

    real = train._training_loss

    def second(job, *arguments):
        return real(job, *arguments) | ({"diverged": True} if job.split.fold == 2 else {})

    monkeypatch.setattr(train, "_training_loss", second)
    run = go(tmp_path / "run", {**HEAD, "epochs": 1}, {"split": {"folds": 2}}, dataset=None)
    summary = read_json(run / "summary.json")
    assert (summary["diverged"], summary["fold_diverged"]) == (True, [False, True])
    assert all(method.endswith(MARK) for method in methods(run) + methods(run / "fold_2"))
    assert not any(MARK in method for method in methods(run / "fold_1"))


def test_a_run_of_version_0_1_has_no_such_key(go, tmp_path):
    run = go(tmp_path / "run", {**HEAD, "epochs": 1})
    summary = read_json(run / "summary.json")
    write_json(run / "summary.json", {key: value for key, value in summary.items() if key != "diverged"})
    assert "diverged" not in repr(load_run(run)) and not load_run(run).trained.diverged
