"""KerasTuner draws the trials: a space as its hyperparameters, its three algorithms, a tuner that trains in a child.

Imports KerasTuner, and with it TensorFlow. What differs from KerasTuner's own tuners:

- A trial is a configuration that is trained from its start for the epochs the algorithm gives it. KerasTuner's
  Hyperband goes on with the weights of the shorter trial, with a new optimizer and in the middle of a learning rate
  schedule; no plain run could repeat that. Here the best trial is a plain run, phases and schedule know the number of
  epochs, and what is frozen is not computed again, since its activations are stored.
- Seed 0 is a seed, though KerasTuner takes it for "any".
- A mistake in data or configuration ends the search. A trial that failed keeps its reason in one line.
- The search goes on from a copy of its files (see `tuner_state`), in the order of the trials, with the same draws.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping

import keras_tuner
import numpy as np
from threadpoolctl import threadpool_limits

from keras_radtl.config import Config, UserError
from keras_radtl.runs.interrupt import Stopped
from keras_radtl.search.settings import TunerSettings
from keras_radtl.search.space import Parameter, Space, apply
from keras_radtl.search.trial_process import one_line

OBJECTIVE = "val_auc"
FAILURES_IN_A_ROW = 3


class SearchEnded(keras_tuner.errors.FatalError):
    """Carries an exception through KerasTuner, which swallows others."""


class TooManyFailures(Exception):
    """Trials failed one after the other; the text says how many, and why the last one did."""


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


class TrialTuner(keras_tuner.Tuner):
    """A KerasTuner tuner whose trials are runs of this package.

    Args:
        oracle: from `make_oracle`.
        space: of the search.
        config: what is not searched.
        settings: of the search.
        train: trains a trial: function (trial id, configuration) -> validation AUC. It raises `UserError` or `Stopped`
            to end the search and anything else when the trial failed.
        ended: called after every trial with this tuner, the trial id, and whether the search goes on from there.
        kwargs: `directory` and `project_name` of KerasTuner.
    """

    def __init__(
        self,
        oracle: keras_tuner.Oracle,
        space: Space,
        config: Config,
        settings: TunerSettings,
        train: Callable[[str, Config], float],
        ended: Callable[[TrialTuner, str, bool], None],
        **kwargs,
    ):
        self.space, self.config, self.settings, self._train, self._ended = space, config, settings, train, ended
        super().__init__(oracle=oracle, **kwargs)

    def trial_epochs(self, trial) -> int:
        """Return the epochs of a trial."""
        return int(trial.hyperparameters.values.get("tuner/epochs", self.settings.max_epochs))

    def trial_values(self, trial) -> dict:
        """Return the searched values of a trial by configuration key."""
        return chosen_values(self.space, trial.hyperparameters.values)

    def trial_config(self, trial) -> Config:
        """Return the whole configuration of a trial."""
        return apply(self.config, self.trial_values(trial), self.trial_epochs(trial))

    def run_trial(self, trial, *args, **kwargs) -> dict[str, float]:
        """Train a trial; returns the objective."""
        self._reason = None
        try:
            return {OBJECTIVE: self._train(trial.trial_id, self.trial_config(trial))}
        except (UserError, Stopped) as error:
            raise SearchEnded(str(error)) from error
        except Exception as error:
            self._reason = one_line(str(error) or type(error).__name__)
            raise

    def on_trial_end(self, trial) -> None:
        """Keep the reason of a failure as one line, not as a traceback, and tell that the trial ended."""
        trial.message = self._reason
        try:
            super().on_trial_end(trial)
        except RuntimeError as error:
            if self.oracle.get_trial(trial.trial_id).status != "FAILED":
                raise
            self._ended(self, trial.trial_id, False)
            reason = f"{FAILURES_IN_A_ROW} trials in a row failed, the last one: {self._reason}"
            raise SearchEnded(reason) from TooManyFailures(reason).with_traceback(error.__traceback__)
        self._ended(self, trial.trial_id, True)
