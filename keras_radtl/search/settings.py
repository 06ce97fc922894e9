"""Settings of a search: the algorithm, its trials and their epochs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from keras_radtl.config import UserError, require

ALGORITHMS = ("hyperband", "random", "bayesian")


@dataclass(frozen=True)
class TunerSettings:
    """Settings of a search.

    Attributes:
        algorithm: One of `ALGORITHMS`.
        max_epochs: Epochs of the longest trials, and of all trials of a random or Bayesian search.
        min_epochs: Hyperband: epochs of the shortest trials.
        factor: Hyperband: one of `factor` trials is promoted, to `factor` times the epochs.
        iterations: Hyperband: number of repetitions of the whole algorithm.
        trials: Number of trials of a random or Bayesian search.
        keep: Number of best trials whose models are kept.
        retries: Number of retries of a trial that crashed.
    """

    algorithm: str = "hyperband"
    max_epochs: int = 9
    min_epochs: int = 1
    factor: int = 3
    iterations: int = 1
    trials: int = 20
    keep: int = 3
    retries: int = 1

    def __post_init__(self):
        require(self.algorithm in ALGORITHMS, "algorithm", f"one of {', '.join(ALGORITHMS)}", self.algorithm)
        require(1 <= self.max_epochs <= 9999, "max_epochs", "in [1, 9999]", self.max_epochs)
        require(1 <= self.min_epochs <= self.max_epochs, "min_epochs", f"in [1, {self.max_epochs}]", self.min_epochs)
        require(2 <= self.factor <= 9999, "factor", "in [2, 9999]", self.factor)
        for name in ("iterations", "trials"):
            require(1 <= getattr(self, name) <= 9999, name, "in [1, 9999]", getattr(self, name))
        for name in ("keep", "retries"):
            require(0 <= getattr(self, name) <= 9999, name, "in [0, 9999]", getattr(self, name))

    @classmethod
    def of(cls, algorithm: str = "hyperband", **given) -> TunerSettings:
        """Return the settings of an algorithm.

        Args:
            algorithm: One of `ALGORITHMS`.
            given: Other settings; None means the default.
        Raises:
            UserError: If a setting is unknown, not valid, or belongs to another algorithm.
        """
        values = {name: value for name, value in given.items() if value is not None}
        for name in ("trials",) if algorithm == "hyperband" else ("factor", "min_epochs", "iterations"):
            if name in values:
                hyperband = algorithm == "hyperband"
                owners = (
                    "random and bayesian searches; hyperband determines the number of trials"
                    if hyperband
                    else "hyperband"
                )
                raise UserError(f"`{name}` is an option of {owners}")
        unknown = [name for name in values if name not in cls.__dataclass_fields__]
        if unknown:
            raise UserError(f"Unknown argument `{unknown[0]}`. Known: {', '.join(cls.__dataclass_fields__)}")
        return cls(algorithm, **values)

    @property
    def brackets(self) -> int:
        """Number of brackets of Hyperband: how many values max_epochs / factor^k, k >= 0, are at least min_epochs."""
        epochs, count = float(self.max_epochs), 0
        while epochs >= self.min_epochs:
            epochs, count = epochs / self.factor, count + 1
        return count

    def plan(self) -> list[tuple[int, int]]:
        """Return pairs (number of trials, epochs of each) in the order of execution if no trial fails.

        Reference:
            Li et al., Hyperband, JMLR 18 (2018), Algorithm 1; bracket sizes are rounded as in KerasTuner.
        """
        if self.algorithm != "hyperband":
            return [(self.trials, self.max_epochs)]
        last = math.ceil(1 + math.log(self.max_epochs, self.factor))
        rounds = []
        for bracket in reversed(range(self.brackets)):
            for left in reversed(range(bracket + 1)):
                power = self.factor**left
                rounds.append((math.ceil(last / (bracket + 1) * power), math.ceil(self.max_epochs / power)))
        return rounds * self.iterations

    @property
    def total_trials(self) -> int:
        """Number of trials if none fails."""
        return sum(trials for trials, _ in self.plan())

    @property
    def total_epochs(self) -> int:
        """Total number of epochs if no trial fails; each trial is trained from its initial weights."""
        return sum(trials * epochs for trials, epochs in self.plan())

    @property
    def shortest(self) -> int:
        """Number of epochs of the shortest trial."""
        return min(epochs for _, epochs in self.plan())

    def require_combinations(self, combinations: float) -> None:
        """Raise an error if Hyperband would draw more trials than a space has combinations.

        Args:
            combinations: Number of combinations of the space.
        Raises:
            UserError: With both numbers.
        """
        if self.algorithm != "hyperband":
            return
        drawn = self.iterations * sum(
            math.ceil(math.ceil(1 + math.log(self.max_epochs, self.factor)) / (bracket + 1) * self.factor**bracket)
            for bracket in range(self.brackets)
        )
        if combinations < drawn:
            raise UserError(
                f"The space has at most {int(combinations)} combinations, but hyperband with these epochs draws {drawn}"
                " different ones; add values, or use `algorithm='random'`"
            )
