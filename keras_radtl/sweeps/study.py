"""A study: the Python file of a list of runs, with its factors, tasks and configuration values.

A study defines `runs(choices)`, which returns a list of `RunSpec`. It may also declare:

| name | what it is |
|---|---|
| STUDY | nested configuration values of all runs |
| FACTORS | tuple of `Factor`: what varies, and what users can choose from |
| TASKS | by name, the nested configuration values of each task, which has its own data |
| FIXED, RANDOM | factors with a fixed effect and with random intercepts in the mixed model of the results |
| COMPARE | True: compare fine-tuning strategies at the end instead |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType

from keras_radtl.config import UserError, require
from keras_radtl.sweeps.run_list import Level, RunSpec

_RESERVED = ("check", "config", "data", "given", "task_config")  # methods of `Choices`, and the data of tasks


@dataclass(frozen=True)
class Factor:
    """Something that varies in a study.

    Attributes:
        name: keyword argument of `run_sweep` and attribute of `choices`; the flag is `--NAME`.
        levels: the levels of the study, all of one type.
        help: one line.
        free: other levels of that type may be chosen too.
    """

    name: str
    levels: tuple[Level, ...]
    help: str
    free: bool = False

    def __post_init__(self):
        valid = self.name.isidentifier() and not self.name.startswith("_") and self.name not in _RESERVED
        require(valid, "name", "an identifier that `choices` does not use itself", self.name)
        require(len(self.levels) > 0, f"levels of {self.name}", "one or more", self.levels)

    @property
    def flag(self) -> str:
        """The command-line flag, such as `--backbones`."""
        return "--" + self.name.replace("_", "-")

    @property
    def kind(self) -> type:
        """The type of the levels."""
        return type(self.levels[0])

    def choose(self, chosen: Level | Sequence[Level] | None) -> tuple[Level, ...]:
        """Return the chosen levels as a tuple, all levels when `chosen` is None.

        Args:
            chosen: one level or several.
        Raises:
            UserError: for an empty choice, a wrong type or an unknown level.
        """
        if chosen is None:
            return self.levels
        several = chosen if isinstance(chosen, Sequence) and not isinstance(chosen, str) else (chosen,)
        levels = tuple(self._cast(level) for level in several)
        require(len(levels) > 0, self.name, "one or more levels", chosen)
        unknown = [level for level in levels if not self.free and level not in self.levels]
        known = ", ".join(map(str, self.levels))
        require(not unknown, self.name, f"among {known}", unknown[0] if unknown else None)
        return levels

    def _cast(self, level) -> Level:
        if self.kind is float and type(level) is int:
            level = float(level)
        require(type(level) is self.kind, self.name, f"of type {self.kind.__name__}", level)
        return level


@dataclass(frozen=True)
class Study:
    """A list of runs with what its Python file declares.

    Attributes:
        name: the default output folder is `saved_models/sweep-NAME`.
        runs: function from `Choices` to the list of runs.
        title: one line.
        factors: what varies, without the tasks.
        tasks: by name, nested configuration values of the tasks.
        values: nested configuration values of all runs.
        fixed: factors with a fixed effect in the mixed model of the results.
        random: factors with random intercepts; None: all others.
        compare: compare fine-tuning strategies at the end.
        file: what a worker process loads first, since it may add backbones; empty: nothing.
    """

    name: str
    runs: Callable[..., list[RunSpec]]
    title: str = ""
    factors: tuple[Factor, ...] = ()
    tasks: Mapping[str, dict] = field(default_factory=dict)
    values: Mapping = field(default_factory=dict)
    fixed: tuple[str, ...] = ()
    random: tuple[str, ...] | None = None
    compare: bool = False
    file: str = ""

    @property
    def every_factor(self) -> tuple[Factor, ...]:
        """The factors, after `tasks` where the study has tasks."""
        return (Factor("tasks", tuple(self.tasks), "tasks"), *self.factors) if self.tasks else self.factors


def study_of(module: ModuleType, name: str, file: str = "") -> Study:
    """Return the study that a module declares.

    Args:
        module: defines `runs`, and optionally the names in the table above.
        name: of the study.
        file: what a worker process loads first.
    """
    return Study(
        name=name,
        runs=module.runs,
        title=(module.__doc__ or "").split("\n")[0],
        factors=tuple(getattr(module, "FACTORS", ())),
        tasks=getattr(module, "TASKS", {}),
        values=getattr(module, "STUDY", {}),
        fixed=tuple(getattr(module, "FIXED", ())),
        random=getattr(module, "RANDOM", None),
        compare=getattr(module, "COMPARE", False),
        file=file,
    )


def study_of_runs(runs: Sequence[RunSpec]) -> Study:
    """Return runs that are already listed as a study without factors."""
    for run in runs:
        require(isinstance(run, RunSpec), "study", "a name, a path or a sequence of RunSpec", run)
    return Study(name="", runs=lambda choices: list(runs))


def change_levels(factors: Sequence[Factor], **levels: Sequence[Level]) -> tuple[Factor, ...]:
    """Return factors with other levels, for a copy of a study.

    Args:
        factors: of the study.
        levels: by name of a factor, its new levels.
    Raises:
        UserError: for an unknown factor, or a level that the study does not have.
    """
    known = [factor.name for factor in factors]
    unknown = [name for name in levels if name not in known]
    if unknown:
        raise UserError(f"Unknown factor `{unknown[0]}`. Known: {', '.join(known)}")
    return tuple(replace(f, levels=f.choose(levels[f.name])) if f.name in levels else f for f in factors)


def file_of(module: ModuleType) -> str:
    """Return the absolute path of a module's file."""
    return str(Path(module.__file__ or "").resolve())
