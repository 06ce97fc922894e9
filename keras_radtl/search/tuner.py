"""The KerasTuner tuner of a search: its trials are runs of this package, trained in a child process.

Imports KerasTuner, and with it TensorFlow. What differs from KerasTuner's own tuners:

- A trial is a configuration that is trained from its start for the epochs the algorithm gives it. KerasTuner's
  Hyperband goes on with the weights of the shorter trial, with a new optimizer and in the middle of a learning rate
  schedule; no plain run could repeat that. Here the best trial is a plain run, phases and schedule know the number of
  epochs, and what is frozen is not computed again, since its activations are stored.
- A mistake in data or configuration ends the search. A trial that failed keeps its reason in one line.
- The search goes on from a copy of its files (see `folder.py`), in the order of the trials, with the same draws.
"""

from __future__ import annotations

from collections.abc import Callable

import keras_tuner

from keras_radtl.config import Config, UserError
from keras_radtl.runs.interrupt import Stopped
from keras_radtl.search.oracles import FAILURES_IN_A_ROW, OBJECTIVE, chosen_values
from keras_radtl.search.settings import TunerSettings
from keras_radtl.search.space import Space, apply
from keras_radtl.search.trial_process import one_line


class SearchEnded(keras_tuner.errors.FatalError):
    """Carries an exception through KerasTuner, which swallows others."""


class TooManyFailures(Exception):
    """Trials failed one after the other; the text says how many, and why the last one did."""


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
