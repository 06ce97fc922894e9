"""The grid of RadImageNet: 24 settings for each task and weight set."""

from __future__ import annotations

from collections import Counter


def test_radimagenet_has_24_settings_for_each_task_and_weight_set(listed):
    runs = listed("radimagenet24", "--tasks", "breast", "--data", "a", "--pretraining", "RadImageNet")
    assert len(runs) == 24
    settings = Counter((run.factors["structure"], run.factors["learning_rate"]) for run in runs)
    rates = {"unfreezeall": (1e-3, 1e-4), "freezeall": (1e-2, 1e-3), "unfreezetop10": (1e-2, 1e-3)}
    assert settings == {(structure, rate): 4 for structure in rates for rate in rates[structure]}
    values = {(run.config.split.folds, run.config.training.batch_size, run.config.training.epochs) for run in runs}
    assert values == {(5, 256, 30)}
