"""The search algorithms of KerasTuner, and the conversion of a space to its hyperparameters.

Imports KerasTuner, and with it TensorFlow. Seed 0 is an ordinary seed here; KerasTuner itself replaces it by a random
seed.
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
MAX_CONSECUTIVE_FAILURES = 3


def make_hyperparameters(space: Space) -> keras_tuner.HyperParameters:
    """Return a space as hyperparameters of KerasTuner. The values of a choice are JSON text, since types may differ."""
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
    kind = found.Int if parameter.integer else found.Float
    sampling = "log" if parameter.log else "linear"
    kind(parameter.key, parameter.low, parameter.high, step=parameter.step, sampling=sampling)


def chosen_values(space: Space, values: Mapping) -> dict:
    """Return the values of the active parameters of a trial by configuration key.

    Args:
        space: The space of the search.
        values: Hyperparameter values of KerasTuner.
    """
    chosen: dict = {}
    for parameter in space.parameters:
        if parameter.active(chosen):
            value = values[parameter.key]
            chosen[parameter.key] = json.loads(value) if parameter.values else value
    return chosen


class SearchEnded(keras_tuner.errors.FatalError):
    """Wraps an exception, since KerasTuner passes on only its own fatal errors."""


class _Shared:
    """What all oracles do.

    The order of trials is kept when an oracle is reloaded, since ties and Gaussian processes depend on it. A file that
    cannot be written ends the search; KerasTuner would count the trial as failed and print a traceback.
    """

    def reload(self):
        super().reload()
        self.trials = dict(sorted(self.trials.items()))

    @keras_tuner.synchronized
    def update_trial(self, trial_id, metrics, step=0):
        try:
            return super().update_trial(trial_id, metrics, step)
        except OSError as error:
            raise SearchEnded(str(error)) from error


class HyperbandOracle(_Shared, keras_tuner.oracles.HyperbandOracle):
    """Hyperband with a minimum number of epochs.

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


class RandomOracle(_Shared, keras_tuner.oracles.RandomSearchOracle):
    """Random search without repetition."""

    def __init__(self, settings: TunerSettings, **kwargs):
        super().__init__(max_trials=settings.trials, **kwargs)


class BayesianOracle(_Shared, keras_tuner.oracles.BayesianOptimizationOracle):
    """Gaussian process with an upper confidence bound; a draw depends only on the seed and the earlier trials."""

    def __init__(self, settings: TunerSettings, **kwargs):
        super().__init__(max_trials=settings.trials, **kwargs)

    def populate_space(self, trial_id):
        self._random_state = np.random.RandomState((self.seed + 7919 * len(self.trials)) % 2**32)
        with threadpool_limits(1):  # for small matrices threads are slower, and change the last bits
            return super().populate_space(trial_id)


ORACLES = {"hyperband": HyperbandOracle, "random": RandomOracle, "bayesian": BayesianOracle}


def make_oracle(space: Space, settings: TunerSettings, seed: int) -> keras_tuner.Oracle:
    """Return the oracle of a search.

    Args:
        space: The space of the search.
        settings: The algorithm and its settings.
        seed: Seed >= 0.
    """
    oracle = ORACLES[settings.algorithm](
        settings,
        objective=keras_tuner.Objective(OBJECTIVE, "max"),
        hyperparameters=make_hyperparameters(space),
        seed=seed + 1,  # KerasTuner replaces 0 by a random seed
        tune_new_entries=False,
        allow_new_entries=False,
        max_retries_per_trial=settings.retries,
        max_consecutive_failed_trials=MAX_CONSECUTIVE_FAILURES,
    )
    oracle.verbose = 0
    return oracle
