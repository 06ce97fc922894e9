"""A KerasTuner tuner whose trials are runs of this package, trained in a child process.

Imports KerasTuner, and with it TensorFlow. Differences from the tuners of KerasTuner:

- Each trial is trained from its initial weights. In KerasTuner, Hyperband continues with the weights of the shorter
  trial, a new optimizer and a schedule that has already begun, which no single run can reproduce. Here the best trial
  is an ordinary run whose phases and schedule fit its number of epochs. Frozen layers are not recomputed, since their
  activations are stored.
- An error in data or configuration ends the search. A failed trial keeps its reason in one line.
- A search resumes from a snapshot (see `folder.py`) and draws the same trials in the same order.
"""

from __future__ import annotations

from collections.abc import Callable

import keras_tuner

from keras_radtl.config import Config, UserError
from keras_radtl.runs.interrupt import Stopped
from keras_radtl.search.oracles import MAX_CONSECUTIVE_FAILURES, OBJECTIVE, SearchEnded, chosen_values
from keras_radtl.search.settings import TunerSettings
from keras_radtl.search.space import Space, apply
from keras_radtl.search.trial_process import one_line


class TooManyFailures(Exception):
    """Raised after too many consecutive failures; the message has their number and the last reason."""


class TrialTuner(keras_tuner.Tuner):
    """A KerasTuner tuner whose trials are runs of this package.

    Args:
        oracle: From `make_oracle`.
        space: The space of the search.
        config: The configuration; searched values and epochs are replaced.
        settings: Settings of the search.
        train: Function (trial id, configuration) -> validation AUC. It raises `UserError` or `Stopped` to end the
            search; any other exception means that the trial failed.
        ended: Called after each trial with this tuner, the trial id, and whether the search can resume from there.
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
        """Return the number of epochs of a trial."""
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
        """Store the reason of a failure in one line instead of a traceback, and report the end of the trial."""
        trial.message = self._reason
        try:
            super().on_trial_end(trial)
        except RuntimeError as error:
            if self.oracle.get_trial(trial.trial_id).status != "FAILED":
                raise
            self._ended(self, trial.trial_id, False)
            reason = f"{MAX_CONSECUTIVE_FAILURES} consecutive trials failed, the last one: {self._reason}"
            raise SearchEnded(reason) from TooManyFailures(reason).with_traceback(error.__traceback__)
        self._ended(self, trial.trial_id, True)
