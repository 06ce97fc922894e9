"""The space as hyperparameters of KerasTuner, and the algorithms that draw from it."""

from __future__ import annotations

import math

import pytest

from keras_radtl.config import Config
from keras_radtl.search.settings import ALGORITHMS, TunerSettings
from keras_radtl.search.space import make_space

pytest.importorskip("keras_tuner")
pytestmark = pytest.mark.filterwarnings("ignore")  # of KerasTuner and the optimizers that it imports

SPACE = make_space(
    {
        "model.head.name": ["linear", "conv"],
        "model.head.filters": {"values": [4, 16], "when": {"model.head.name": ["conv"]}},
        "training.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
        "training.batch_size": {"low": 8, "high": 24, "step": 8},
        "training.patience": [None, 3],
    },
    Config(),
)


@pytest.fixture
def draw(tmp_path):
    """Return a function from settings and a seed to the values of the first trials, all with a score of 0.5."""

    def make(settings, seed=0, count=6):
        from keras_radtl.search.oracles import OBJECTIVE, chosen_values, make_oracle

        oracle, found = make_oracle(SPACE, settings, seed), []
        oracle._set_project_dir(str(tmp_path), "project")
        for _ in range(count):
            trial = oracle.create_trial("tuner0")
            found.append(chosen_values(SPACE, trial.hyperparameters.values))
            oracle.update_trial(trial.trial_id, {OBJECTIVE: 0.5})
            trial.status = "COMPLETED"
            oracle.end_trial(trial)
        return found

    return make


def test_hyperparameters_have_the_ranges_of_the_space():
    from keras_radtl.search.oracles import make_hyperparameters

    space = {parameter.name: parameter for parameter in make_hyperparameters(SPACE).space}
    assert set(space) == set(SPACE.keys)
    rate, size = space["training.learning_rate"], space["training.batch_size"]
    assert (rate.min_value, rate.max_value, rate.sampling) == (1e-4, 1e-2, "log")
    assert (size.min_value, size.max_value, size.step) == (8, 24, 8)
    assert space["training.patience"].values == ["null", "3"]
    (condition,) = space["model.head.filters"].conditions
    assert (condition.name, condition.values) == ("model.head.name", ['"conv"'])


def test_inactive_parameters_are_not_chosen():
    from keras_radtl.search.oracles import chosen_values

    values = {"model.head.filters": "16", "training.learning_rate": 1e-3, "training.batch_size": 8}
    values["training.patience"] = "null"
    linear = chosen_values(SPACE, {**values, "model.head.name": '"linear"'})
    assert linear["model.head.name"] == "linear" and "model.head.filters" not in linear
    assert linear["training.patience"] is None
    assert chosen_values(SPACE, {**values, "model.head.name": '"conv"'})["model.head.filters"] == 16


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_draws_are_in_the_space_and_depend_on_the_seed(draw, algorithm):
    settings = TunerSettings(algorithm, trials=8)
    found = draw(settings)
    assert found == draw(settings) != draw(settings, seed=1)
    for values in found:
        assert 1e-4 <= values["training.learning_rate"] <= 1e-2 and values["training.batch_size"] in (8, 16, 24)
        assert ("model.head.filters" in values) == (values["model.head.name"] == "conv")


def test_rates_are_drawn_on_a_logarithmic_scale(draw):
    logs = [math.log10(v["training.learning_rate"]) for v in draw(TunerSettings("random", trials=60), count=60)]
    assert -3.3 < sum(logs) / len(logs) < -2.7


def test_brackets_are_those_of_the_settings():
    from keras_radtl.search.oracles import make_oracle

    for settings in (TunerSettings(max_epochs=9), TunerSettings(max_epochs=9, min_epochs=2)):
        oracle = make_oracle(SPACE, settings, 0)
        sizes = [oracle._get_size(bracket, 0) for bracket in reversed(range(settings.brackets))]
        assert oracle._get_num_brackets() == settings.brackets
        assert sizes == [trials for trials, epochs in settings.plan() if (trials, epochs) in _first_rounds(settings)]


def _first_rounds(settings) -> list[tuple[int, int]]:
    """Return the first round of each bracket: epochs that are not larger than those before."""
    rounds, first, before = settings.plan(), [], math.inf
    for trials, epochs in rounds:
        if epochs <= before:
            first.append((trials, epochs))
        before = epochs
    return first
