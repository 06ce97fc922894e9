"""The worker of a search: a rehearsal rejects what cannot be trained before the first trial."""

from __future__ import annotations

import pytest

from keras_radtl.config import Config, to_dict, update
from keras_radtl.config.serialization import merge
from keras_radtl.models.layers.head_sizes import head_parameters
from keras_radtl.search.trial_worker import TrialWorker
from keras_radtl.training.run_options import RunOptions
from keras_radtl.training.worker import train_task

BASE = {
    "data": {"image_size": 32, "phantoms": {"count": 40, "image_size": 32}},
    "model": {"backbone": "tiny", "weights": "none", "head": {"name": "linear"}},
    "training": {"unfreeze": "none", "epochs": 1},
}


@pytest.fixture
def rehearse(tmp_path, tiny_backbone):
    """Return a function from configurations, as changes to `BASE`, to the worker's answer."""
    worker = TrialWorker(tmp_path)
    base = to_dict(update(Config(), BASE))
    return lambda *changes: worker.answer({"task": "rehearse", "configs": [merge(base, change) for change in changes]})


def test_rehearsal_returns_data_and_the_largest_model(rehearse):
    conv = {"model": {"head": {"name": "conv", "filters": 4}}}
    answer = rehearse({}, conv, {"training": {"unfreeze": "all"}}).result
    assert answer["cases"] == 40 and len(answer["data_sha256"]) == 64
    head = head_parameters(update(Config(), conv).model.head, features=8, num_classes=3)
    convolutions, norms = sum(3 * 3 * a * b for a, b in ((3, 4), (4, 6), (6, 8))), 4 + 6 + 8
    assert answer["weights"] == convolutions + 4 * norms + head
    assert answer["trainable"] == convolutions + 2 * norms + head  # moving means and variances do not train


@pytest.mark.parametrize(
    "change, message",
    [
        ({"data": {"path": "/nowhere"}}, "/nowhere"),
        ({"model": {"head": {"name": "attention"}}}, "Unknown head 'attention'"),
        (
            {"model": {"head": {"name": "conv", "kernel_size": 9}}},
            "`kernel_size` must be at most the number of features, 8",
        ),
        ({"training": {"strategy": "lp_ft"}}, "`epochs` must be at least 2, one for each phase"),
        ({"training": {"optimizer": "adamw", "weight_decay": 0.1, "weight_decay_mode": "coupled"}}, "AdamW"),
    ],
)
def test_rehearsal_rejects_what_cannot_be_trained(rehearse, change, message):
    for changes in ([change], [{}, change]):
        if "data" not in change or len(changes) == 1:
            answer = rehearse(*changes)
            assert answer.outcome == "refused" and message in answer.text


def test_trial_with_folds_is_an_error(tmp_path):
    config = update(Config(), {**BASE, "split": {"folds": 3}})
    task = train_task("trial 0000", to_dict(config), RunOptions(tmp_path / "run", figures=False, test=False))
    assert "`folds` must be None without test predictions" in TrialWorker(tmp_path).answer(task).text
