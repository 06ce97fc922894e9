"""KerasTuner draws the trials: a space as its hyperparameters, and its three algorithms.

Imports KerasTuner, and with it TensorFlow. Seed 0 is a seed, though KerasTuner takes it for "any".
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping

import keras_tuner
import numpy as np
from threadpoolctl import threadpool_limits

from keras_radtl.search.settings import TunerSettings
from keras_radtl.search.space import Parameter, Space

OBJECTIVE = "val_auc"


FAILURES_IN_A_ROW = 3


def make_hyperparameters(space: Space) -> keras_tuner.HyperParameters:
    """Return a space as KerasTuner's hyperparameters; values of a choice are their JSON text, which fits any type."""
    found = keras_tuner.HyperParameters()
    for parameter in space.parameters:
        with contextlib.ExitStack() as scopes:
            for key, values in parameter.when:
                scopes.enter_context(found.conditional_scope(key, [json.dumps(value) for value in values]))
            _declare(found, parameter)
    return found


def _declare(found: keras_tuner.HyperParameters, parameter: Parameter) -> None:
    if parameter.values:
        found.Choice(parameter.key, [json.dumps(value) for value in parameter.values])
        return
    kind = found.Int if parameter.whole else found.Float
    sampling = "log" if parameter.log else "linear"
    kind(parameter.key, parameter.low, parameter.high, step=parameter.step, sampling=sampling)


def chosen_values(space: Space, values: Mapping) -> dict:
    """Return the values of a trial by configuration key, without those not in use.

    Args:
        space: of the search.
        values: KerasTuner's dict of a trial.
    """
    chosen: dict = {}
    for parameter in space.parameters:
        if parameter.active(chosen):
            value = values[parameter.key]
            chosen[parameter.key] = json.loads(value) if parameter.values else value
    return chosen


class _Orderly:
    """Keeps the trials of a reloaded oracle in their order, since ties and Gaussian processes depend on it."""

    def reload(self):
        super().reload()
        self.trials = dict(sorted(self.trials.items()))


class HyperbandOracle(_Orderly, keras_tuner.oracles.HyperbandOracle):
    """Hyperband with a least number of epochs.

    Reference:
        Li et al., Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization, JMLR 18 (2018), Algorithm 1.
    """

    def __init__(self, settings: TunerSettings, **kwargs):
        self._settings = settings
        super().__init__(
            max_epochs=settings.max_epochs, factor=settings.factor, hyperband_iterations=settings.iterations, **kwargs
        )

    def _get_num_brackets(self):
        return self._settings.brackets


class RandomOracle(_Orderly, keras_tuner.oracles.RandomSearchOracle):
    """Random search without repetition."""

    def __init__(self, settings: TunerSettings, **kwargs):
        super().__init__(max_trials=settings.trials, **kwargs)


class BayesianOracle(_Orderly, keras_tuner.oracles.BayesianOptimizationOracle):
    """Gaussian process with an upper confidence bound; a draw depends on the seed and the trials before it alone."""

    def __init__(self, settings: TunerSettings, **kwargs):
        super().__init__(max_trials=settings.trials, **kwargs)

    def populate_space(self, trial_id):
        self._random_state = np.random.RandomState((self.seed + 7919 * len(self.trials)) % 2**32)
        with threadpool_limits(1):  # small matrices: threads only cost time, and change last bits
            return super().populate_space(trial_id)


ORACLES = {"hyperband": HyperbandOracle, "random": RandomOracle, "bayesian": BayesianOracle}


def make_oracle(space: Space, settings: TunerSettings, seed: int) -> keras_tuner.Oracle:
    """Return the oracle of a search.

    Args:
        space: what to draw from.
        settings: with the algorithm.
        seed: >= 0.
    """
    oracle = ORACLES[settings.algorithm](
        settings,
        objective=keras_tuner.Objective(OBJECTIVE, "max"),
        hyperparameters=make_hyperparameters(space),
        seed=seed + 1,  # KerasTuner draws a seed for 0
        tune_new_entries=False,
        allow_new_entries=False,
        max_retries_per_trial=settings.retries,
        max_consecutive_failed_trials=FAILURES_IN_A_ROW,
    )
    oracle.verbose = 0
    return oracle
