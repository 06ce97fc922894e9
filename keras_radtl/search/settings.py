"""How a search goes: the algorithm, its trials and their epochs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from keras_radtl.config import UserError, require

ALGORITHMS = ("hyperband", "random", "bayesian")


@dataclass(frozen=True)
class TunerSettings:
    """Settings of a search.

    Attributes:
        algorithm: one of `ALGORITHMS`.
        max_epochs: of the longest trials; every trial of a random or Bayesian search has as many.
        min_epochs: hyperband: no trial is shorter.
        factor: hyperband: of that many trials one goes on, with that many times the epochs.
        iterations: hyperband: how often the whole algorithm is gone through.
        trials: of a random or Bayesian search.
        keep: so many of the best trials keep their model.
        retries: how often a trial that crashed is tried again.
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
        require(self.factor >= 2, "factor", ">= 2", self.factor)
        for name in ("iterations", "trials"):
            require(1 <= getattr(self, name) <= 9999, name, "in [1, 9999]", getattr(self, name))
        for name in ("keep", "retries"):
            require(getattr(self, name) >= 0, name, ">= 0", getattr(self, name))

    @classmethod
    def of(cls, algorithm: str = "hyperband", **given) -> TunerSettings:
        """Return settings; None stands for the default, and a setting of another algorithm is refused.

        Raises:
            UserError: naming the argument, the rule and the value.
        """
        values = {name: value for name, value in given.items() if value is not None}
        for name in ("trials",) if algorithm == "hyperband" else ("factor", "min_epochs", "iterations"):
            if name in values:
                hyperband = algorithm == "hyperband"
                owners = "random and bayesian searches; hyperband sets their number" if hyperband else "hyperband"
                raise UserError(f"`{name}` is an option of {owners}")
        unknown = [name for name in values if name not in cls.__dataclass_fields__]
        if unknown:
            raise UserError(f"Unknown argument `{unknown[0]}`. Known: {', '.join(cls.__dataclass_fields__)}")
        return cls(algorithm, **values)

    @property
    def brackets(self) -> int:
        """Number of hyperband's brackets: how many of max_epochs / factor^0, / factor^1, ... are >= min_epochs."""
        epochs, count = float(self.max_epochs), 0
        while epochs >= self.min_epochs:
            epochs, count = epochs / self.factor, count + 1
        return count

    def plan(self) -> list[tuple[int, int]]:
        """Return (trials, epochs of each) in the order in which they run, when none fails.

        Reference:
            Li et al., Hyperband, JMLR 18 (2018), Algorithm 1; bracket sizes as KerasTuner rounds them.
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
        """Number of trials when none fails."""
        return sum(trials for trials, _ in self.plan())

    @property
    def total_epochs(self) -> int:
        """Epochs of all trials together when none fails; each trial trains from its start."""
        return sum(trials * epochs for trials, epochs in self.plan())

    @property
    def shortest(self) -> int:
        """Epochs of the shortest trial."""
        return min(epochs for _, epochs in self.plan())

    def require_room(self, combinations: float) -> None:
        """Refuse a space with fewer combinations than hyperband draws, since it would end before its long trials.

        Raises:
            UserError: with both numbers.
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
                " different ones; use `algorithm` random, or add values"
            )
