"""The tuner, with trials that only compute a number."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from keras_radtl.config import Config, UserError
from keras_radtl.search.settings import TunerSettings
from keras_radtl.search.space import make_space

pytest.importorskip("keras_tuner")
pytestmark = pytest.mark.filterwarnings("ignore")  # of KerasTuner and the optimizers that it imports

SPACE = make_space(
    {
        "training.learning_rate": {"low": 1e-5, "high": 1e-1, "log": True},
        "model.head.name": ["linear", "conv"],
        "model.head.filters": {"values": [4, 16], "when": {"model.head.name": ["conv"]}},
        "training.patience": [None, 3],
    },
    Config(),
)


def score(config: Config) -> float:
    """Return an artificial validation AUC with its maximum at the learning rate 1e-3."""
    return 0.9 - 0.05 * abs(math.log10(config.training.learning_rate) + 3) + 0.001 * config.training.epochs


def run(folder, settings, seed=0, train=lambda trial, config: score(config), space=SPACE):
    """Search in `folder`; returns the tuner."""
    from keras_radtl.search.oracles import make_oracle
    from keras_radtl.search.tuner import TrialTuner

    place = {"directory": str(folder), "project_name": "project"}
    oracle = make_oracle(space, settings, seed)
    tuner = TrialTuner(oracle, space, Config(), settings, train, lambda *_: None, **place)
    tuner.search(verbose=0)
    return tuner


def drawn(tuner) -> list:
    return [(trial.trial_id, tuner.trial_config(trial)) for trial in tuner.oracle.trials.values()]


@pytest.mark.parametrize("max_epochs, trials", [(9, 23), (27, 70)])
def test_hyperband_runs_the_planned_trials(tmp_path, max_epochs, trials):
    settings = TunerSettings(max_epochs=max_epochs)
    tuner = run(tmp_path, settings)
    planned = Counter()
    for count, epochs in settings.plan():
        planned[epochs] += count
    assert Counter(config.training.epochs for _, config in drawn(tuner)) == planned
    assert len(drawn(tuner)) == trials


def test_min_epochs_removes_brackets(tmp_path):
    tuner = run(tmp_path, TunerSettings(max_epochs=9, min_epochs=2))
    assert Counter(config.training.epochs for _, config in drawn(tuner)) == {3: 5, 9: 5}


def test_hyperband_promotes_the_best_of_a_round(tmp_path):
    tuner = run(tmp_path, TunerSettings(max_epochs=9, min_epochs=2))
    short = [config for _, config in drawn(tuner)[:5]]
    best = sorted(short, key=score)[-2:]
    longer = [config.training.learning_rate for _, config in drawn(tuner)[5:7]]
    assert sorted(longer) == sorted(config.training.learning_rate for config in best)


def test_inactive_parameters_have_their_default(tmp_path):
    tuner = run(tmp_path, TunerSettings("random", trials=30))
    heads = {config.model.head.name: set() for _, config in drawn(tuner)}
    for _, config in drawn(tuner):
        heads[config.model.head.name].add(config.model.head.filters)
    assert heads == {"linear": {Config().model.head.filters}, "conv": {4, 16}}
    assert {config.training.patience for _, config in drawn(tuner)} == {None, 3}


@pytest.mark.parametrize("algorithm", ["hyperband", "random"])
def test_seed_0_is_deterministic(tmp_path, algorithm):
    settings = TunerSettings(algorithm, trials=8)
    first, again, other = (drawn(run(tmp_path / str(i), settings, seed)) for i, seed in enumerate((0, 0, 1)))
    assert first == again != other


RATE = make_space({"training.learning_rate": {"low": 1e-5, "high": 1e-1, "log": True}}, Config())


def test_bayesian_search_improves_and_resumes_with_the_same_draws(tmp_path):
    settings = TunerSettings("bayesian", trials=7)
    whole = drawn(run(tmp_path / "whole", settings, space=RATE))
    later = [abs(math.log10(config.training.learning_rate) + 3) for _, config in whole[4:]]  # the first ones are random
    assert min(later) < 0.2  # random draws have a mean of 1

    def stop_in(trial, config):
        if trial == "5":
            raise KeyboardInterrupt
        return score(config)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", settings, train=stop_in, space=RATE)
    assert drawn(run(tmp_path / "stopped", settings, space=RATE)) == whole


def test_search_continues_after_a_failed_trial(tmp_path):
    tried = Counter()

    def fail_third(trial, config):
        tried[trial] += 1
        if trial == "0003":
            raise ValueError(f"loss is NaN\nin {__file__}")
        return score(config)

    tuner = run(tmp_path, TunerSettings(max_epochs=9, retries=1), train=fail_third)
    failed = tuner.oracle.get_trial("0003")
    assert (
        failed.status == "FAILED" and failed.message.startswith("loss is NaN in ") and "Traceback" not in failed.message
    )
    assert tried["0003"] == 2 and set(tried.values()) == {1, 2}
    assert max(config.training.epochs for _, config in drawn(tuner)) == 9


def test_three_consecutive_failures_end_the_search(tmp_path):
    from keras_radtl.search.tuner import SearchEnded, TooManyFailures

    def fail(trial, config):
        raise ValueError("out of memory")

    with pytest.raises(SearchEnded, match="3 consecutive trials failed, the last one: out of memory") as caught:
        run(tmp_path, TunerSettings(retries=0), train=fail)
    assert isinstance(caught.value.__cause__, TooManyFailures)


def test_user_error_ends_the_search(tmp_path):
    from keras_radtl.search.tuner import SearchEnded

    tried = []

    def fail(trial, config):
        tried.append(trial)
        raise UserError("no such folder")

    with pytest.raises(SearchEnded) as caught:
        run(tmp_path, TunerSettings(), train=fail)
    assert tried == ["0000"] and isinstance(caught.value.__cause__, UserError)
