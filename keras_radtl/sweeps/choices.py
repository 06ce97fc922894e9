"""The choices of a user for a study: levels of its factors, data of its tasks, and configuration values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from keras_radtl.config import Config, UserError
from keras_radtl.config.arguments import KEYS
from keras_radtl.config.serialization import merge
from keras_radtl.sweeps.run_list import Level, RunSpec
from keras_radtl.sweeps.study import Study

_SHORT = {key: name for name, key in KEYS.items()}


class Choices:
    """The argument of a study's `runs(choices)`; the chosen levels of each factor are attributes.

    Example: `choices.backbones` is a tuple of the chosen levels of the factor `backbones`, `choices.tasks` a tuple of
    the chosen tasks.

    Args:
        study: The study.
        configure: Function from nested values to a configuration in which these values are above the preset and below
            everything that the user set.
        asked: The dotted configuration keys that the user set.
        levels: The chosen level or levels by factor; all other factors have all levels of the study.
        task_data: Path of the images by task.
    """

    def __init__(
        self,
        study: Study,
        configure: Callable[[Mapping], Config],
        asked: Collection[str],
        levels: Mapping[str, Level | Sequence[Level]],
        task_data: Mapping[str, str],
    ):
        self._study, self._configure = study, configure
        self._asked, self._task_data = tuple(asked), task_data
        self._levels = {factor.name: factor.choose(levels.get(factor.name)) for factor in study.every_factor}

    def __getattr__(self, name: str) -> tuple:
        levels = self.__dict__.get("_levels", {})
        if name not in levels:
            raise AttributeError(f"The study has no factor {name!r}. Known: {', '.join(levels)}")
        return levels[name]

    def config(self, changes: Mapping | None = None) -> Config:
        """Return the configuration that all runs share.

        Args:
            changes: Nested values above the `STUDY` of the list and below everything that the user set.
        Raises:
            UserError: If a value is not allowed; the message names the key, the rule and the value.
        """
        return self._configure(merge(self._study.values, changes or {}))

    def task_config(self, task: str) -> Config:
        """Return the configuration of one task; `data.path` is empty if the user named no data for it.

        Raises:
            UserError: If one path is given for several tasks.
        """
        common = self.given("data.path")
        if common and len(self.tasks) > 1:
            several = dict.fromkeys(self.tasks, "PATH")
            raise UserError(f"`data` is for one task: select one by `tasks`, or use `data={several}`")
        if task in self._task_data:
            common = self._task_data[task]
        return self.config(merge(self._study.tasks[task], {"data": {"path": common or ""}}))

    def given(self, key: str):
        """Return the value that the user set for a dotted configuration key; None if there is none."""
        asked = any(key == name or key.startswith(f"{name}.") for name in self._asked)
        return _value(self._configure({}), key) if asked else None

    def check(self, runs: Sequence[RunSpec]) -> None:
        """Refuse values that the user set and the study overrides.

        Raises:
            UserError: If there is one; the message names the argument.
        """
        wanted = self._configure({}) if self._asked else None
        for key in self._asked:
            if any(_value(run.config, key) != _value(wanted, key) for run in runs):
                own = ", ".join(f"`{factor.name}`" for factor in self._study.every_factor)
                hint = f"; its own options are {own}" if own else ""
                raise UserError(f"`{_SHORT.get(key, key)}` is set by the list of runs{hint}")


def _value(config, key: str):
    for part in key.split("."):
        config = getattr(config, part)
    return config
