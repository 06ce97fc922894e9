"""What a user chose for a study: levels of its factors, data of its tasks, and configuration values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from keras_radtl.config import Config, UserError
from keras_radtl.config.serialization import merge
from keras_radtl.sweeps.run_list import Level, RunSpec
from keras_radtl.sweeps.spelling import Spelling
from keras_radtl.sweeps.study import Study


class Choices:
    """The argument of a study's `runs(choices)`; the chosen levels of each factor are attributes.

    Example: `choices.backbones` is a tuple of the chosen levels of the factor `backbones`, `choices.tasks` a tuple of
    the chosen tasks.

    Args:
        study: the study.
        configure: function from nested values to a configuration with these values above the preset and below
            everything that the user asked for.
        asked: by dotted configuration key that the user set, the flag or argument that set it.
        levels: by factor, the chosen level or levels; all levels of the study for the others.
        task_data: by task, the path of its images.
        spelling: how messages name what the user can set.
    """

    def __init__(
        self,
        study: Study,
        configure: Callable[[Mapping], Config],
        asked: Mapping[str, str],
        levels: Mapping[str, Level | Sequence[Level]],
        task_data: Mapping[str, str],
        spelling: Spelling,
    ):
        self._study, self._configure, self._asked = study, configure, asked
        self._task_data, self._spelling = task_data, spelling
        self._levels = {factor.name: factor.choose(levels.get(factor.name)) for factor in study.every_factor}

    def __getattr__(self, name: str) -> tuple:
        levels = self.__dict__.get("_levels", {})
        if name not in levels:
            raise AttributeError(f"The study has no factor {name!r}. Known: {', '.join(levels)}")
        return levels[name]

    def config(self, changes: Mapping | None = None) -> Config:
        """Return the configuration that all runs have in common.

        Args:
            changes: nested values above the `STUDY` of the list and below everything that the user asked for.
        Raises:
            UserError: naming the key, the rule and the value.
        """
        return self._configure(merge(self._study.values, changes or {}))

    def task_config(self, task: str) -> Config:
        """Return the configuration of one task; `data.path` is empty when the user named no data for it.

        Raises:
            UserError: when one path is given for several tasks.
        """
        common = self.given("data.path")
        if common and len(self.tasks) > 1:
            one, several = self._spelling.argument("tasks"), self._spelling.task_data(*self.tasks)
            raise UserError(f"{self._spelling.argument('data')} is for one task: name one by {one}, or use {several}")
        if task in self._task_data:
            common = self._task_data[task]
        return self.config(merge(self._study.tasks[task], {"data": {"path": common or ""}}))

    def given(self, key: str):
        """Return the value that the user asked for under a dotted configuration key; None when there is none."""
        asked = any(key == name or key.startswith(f"{name}.") for name in self._asked)
        return _value(self._configure({}), key) if asked else None

    def check(self, runs: Sequence[RunSpec]) -> None:
        """Refuse values that the user asked for and the study overrules.

        Raises:
            UserError: naming the flag or argument.
        """
        wanted = self._configure({}) if self._asked else None
        for key, spelled in self._asked.items():
            if any(_value(run.config, key) != _value(wanted, key) for run in runs):
                own = ", ".join(self._spelling.argument(factor.name) for factor in self._study.every_factor)
                hint = f"; its own options are {own}" if own else ""
                raise UserError(f"{spelled} is decided by the list of runs{hint}")


def _value(config, key: str):
    for part in key.split("."):
        config = getattr(config, part)
    return config
