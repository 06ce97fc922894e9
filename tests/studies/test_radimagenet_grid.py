"""The grid of RadImageNet: 24 settings for each task and weight set."""

from __future__ import annotations

from collections import Counter

from keras_radtl.cli.radimagenet_flags import read_radimagenet_flags
from keras_radtl.config import Config


def test_radimagenet_has_24_settings_for_each_task_and_weight_set(listed):
    runs = listed("radimagenet24", "--tasks", "breast", "--data", "a", "--pretraining", "RadImageNet")
    assert len(runs) == 24
    settings = Counter((run.factors["structure"], run.factors["learning_rate"]) for run in runs)
    rates = {"unfreezeall": (1e-3, 1e-4), "freezeall": (1e-2, 1e-3), "unfreezetop10": (1e-2, 1e-3)}
    assert settings == {(structure, rate): 4 for structure in rates for rate in rates[structure]}
    values = {(run.config.split.folds, run.config.training.batch_size, run.config.training.epochs) for run in runs}
    assert values == {(5, 256, 30)}


def test_runs_equal_the_flags_of_the_scripts(listed):
    for run in listed("radimagenet24", "--tasks", "breast", "--data", "a"):
        levels = run.factors
        flags = f"--database {levels['pretrain']} --model_name {levels['backbone']} --structure {levels['structure']}"
        changes = read_radimagenet_flags(f"{flags} --lr {levels['learning_rate']:g}")
        data = {"data": {"path": "a", "positive": "malignant"}}
        assert run.config == Config.from_layers("radimagenet", changes, data), run.name


def test_batchnorm_can_be_selected(listed):
    runs = listed("radimagenet24", "--tasks", "breast", "--data", "a", "--batchnorm", "adapt")
    assert {run.config.model.batchnorm for run in runs} == {"adapt"}
