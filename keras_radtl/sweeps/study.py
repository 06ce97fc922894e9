"""A study: a list of runs in a Python file, with its factors, tasks and configuration values.

A study defines `runs(choices)`, which returns a list of `RunSpec`. It may also declare:

| name | value |
|---|---|
| STUDY | nested configuration values of all runs |
| FACTORS | tuple of `Factor`: what varies, and what users can select |
| TASKS | dict from the name of a task, which has its own data, to nested configuration values |
| ANALYSES | tuple of `StudyAnalysis`: the mixed models of the results |
| COMPARE | True: compare fine-tuning strategies instead |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType

from keras_radtl.config import UserError, require
from keras_radtl.config.errors import shown
from keras_radtl.sweeps.run_list import Level, RunSpec

_RESERVED = ("check", "config", "data", "given", "task_config")  # methods of `Choices`, and the data of tasks


@dataclass(frozen=True)
class Factor:
    """A factor of a study.

    Attributes:
        name: Keyword argument of `run_sweep` and attribute of `choices`; the flag is `--NAME`.
        levels: Levels of the study, all of one type.
        help: Help text of one line.
        free: Whether other levels of that type may be chosen.
    """

    name: str
    levels: tuple[Level, ...]
    help: str
    free: bool = False

    def __post_init__(self):
        require(isinstance(self.name, str), "name", "a text", self.name)
        object.__setattr__(self, "levels", tuple(self.levels))
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
            chosen: One level or several.
        Raises:
            UserError: If the choice is empty, has a wrong type or is unknown.
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
class StudyAnalysis:
    """A linear mixed model of the test AUC of a study.

    Attributes:
        fixed: Factors with a fixed effect; their levels are also compared by rank tests.
        random: Factors with random intercepts; None: all other factors.
        title: Heading of its text; empty: none.
    """

    fixed: tuple[str, ...] = ()
    random: tuple[str, ...] | None = None
    title: str = ""


@dataclass(frozen=True)
class Study:
    """A list of runs with the declarations of its Python file.

    Attributes:
        name: The default output folder is `saved_models/sweep-NAME`.
        runs: Function from `Choices` to the list of runs.
        title: Title of one line.
        factors: What varies, without the tasks.
        tasks: Nested configuration values by task.
        values: Nested configuration values of all runs.
        analyses: Mixed models of the results; each is fitted to the factors that vary.
        compare: Whether to compare fine-tuning strategies instead.
        file: Python file that a worker process loads first, since it may add backbones; empty: none.
    """

    name: str
    runs: Callable[..., list[RunSpec]]
    title: str = ""
    factors: tuple[Factor, ...] = ()
    tasks: Mapping[str, dict] = field(default_factory=dict)
    values: Mapping = field(default_factory=dict)
    analyses: tuple[StudyAnalysis, ...] = (StudyAnalysis(),)
    compare: bool = False
    file: str = ""

    @property
    def every_factor(self) -> tuple[Factor, ...]:
        """All factors; the first is `tasks` if the study has tasks."""
        return (Factor("tasks", tuple(self.tasks), "tasks"), *self.factors) if self.tasks else self.factors


def study_of(module: ModuleType, name: str, file: str = "") -> Study:
    """Return the study that a module declares.

    Args:
        module: Module that defines `runs`, and optionally the names in the table above.
        name: Name of the study.
        file: Python file that a worker process loads first.
    Raises:
        UserError: If a declaration has a wrong type; the message names the file and the declaration.
    """
    source = file or name
    return Study(
        name=name,
        runs=module.runs,
        title=(module.__doc__ or "").split("\n")[0],
        factors=_declared(module, "FACTORS", Factor, source),
        tasks=_table(module, "TASKS", source),
        values=_table(module, "STUDY", source),
        analyses=_declared(module, "ANALYSES", StudyAnalysis, source) or (StudyAnalysis(),),
        compare=bool(getattr(module, "COMPARE", False)),
        file=file,
    )


def _declared(module: ModuleType, name: str, kind: type, source: str) -> tuple:
    value = getattr(module, name, ())
    if not isinstance(value, Sequence) or not all(isinstance(item, kind) for item in value):
        raise UserError(f"{source}: {name} must be a tuple of {kind.__name__}. Received: {shown(value)}")
    return tuple(value)


def _table(module: ModuleType, name: str, source: str) -> dict:
    value = getattr(module, name, {})
    if not isinstance(value, Mapping):
        raise UserError(f"{source}: {name} must be a dict. Received: {shown(value)}")
    return dict(value)


def study_of_runs(runs: Sequence[RunSpec]) -> Study:
    """Return runs that are already listed as a study without factors."""
    for run in runs:
        require(isinstance(run, RunSpec), "study", "a name, a path or a sequence of RunSpec", run)
    return Study(name="", runs=lambda choices: list(runs))


def change_levels(factors: Sequence[Factor], **levels: Sequence[Level]) -> tuple[Factor, ...]:
    """Return factors with other levels, for a copy of a study.

    Args:
        factors: Factors of the study.
        levels: New levels by the name of the factor.
    Raises:
        UserError: If a factor is unknown, or the study does not have a level.
    """
    known = [factor.name for factor in factors]
    unknown = [name for name in levels if name not in known]
    if unknown:
        raise UserError(f"Unknown factor `{unknown[0]}`. Known: {', '.join(known)}")
    return tuple(replace(f, levels=f.choose(levels[f.name])) if f.name in levels else f for f in factors)


def file_of(module: ModuleType) -> str:
    """Return the absolute path of a module's file."""
    return str(Path(module.__file__ or "").resolve())
