"""Conversion of library messages to the command line.

Messages of the library name arguments in backticks: "`image_size` must be ...", "set `overwrite=True`". On the command
line they name flags: "--image-size must be ...", "set --overwrite".
"""

from __future__ import annotations

import ast
import logging
import re
from collections.abc import Iterable, Mapping

from keras_radtl.config.arguments import ARGUMENTS

_QUOTED = re.compile(r"`([A-Za-z_][A-Za-z0-9_.]*)(?:=([^`]*))?`")
_SWITCHES = {"reuse": "--no-reuse", "masks": "--no-masks"}  # flags of arguments whose default is True
_OPTIONS = (  # arguments that are flags of commands, in addition to those of a configuration
    "output", "resume", "overwrite", "tensorboard", "reuse", "feature_cache_size", "feature_dtype", "save_models",
    "figures", "skip_missing", "engine", "ray_address", "runs_per_process", "dry_run", "space", "algorithm",
    "max_epochs", "min_epochs", "trials", "factor", "iterations", "keep", "retries", "split", "threshold", "alpha",
    "correction", "mcnemar", "clustered", "response", "fixed", "random", "categorical", "reference", "method",
    "rank_by", "within", "limit", "distance", "count", "difficulty", "masks", "tasks", "strategies", "backbones",
    "rates", "seeds", "pretraining", "schedules", "heads", "structures", "levels", "json", "figure",
    "C", "solver", "l1_ratio", "choice", "input", "rounds", "workers",
)  # fmt: skip


def _flags() -> dict[str, str]:
    """Return the flags of all arguments, by short name and by key with and without its section."""
    flags = {name: "--" + name.replace("_", "-") for name in _OPTIONS}
    for listed in ARGUMENTS.values():
        for argument in listed:
            flags |= dict.fromkeys((argument.name, argument.key, argument.key.rpartition(".")[2]), argument.flag)
    return flags | {"name": "`name`", "path": "`path`"}


FLAGS = _flags()


def as_flags(message: str, options: Iterable[str] = ()) -> str:
    """Return a message in which arguments are written as flags.

    `name` becomes `--name`, `name=value` becomes `--name value`, `name=True` becomes `--name`, a list becomes its
    items, and `data={'breast': PATH}` becomes `--data-breast PATH`. Other text in backticks is unchanged.

    Args:
        message: Message of the library.
        options: Names of further arguments that are flags, such as the factors of a study.
    """
    flags = {name: "--" + name.replace("_", "-") for name in options} | FLAGS
    return _QUOTED.sub(lambda match: _translate(match, flags), message)


def _translate(match: re.Match, flags: Mapping[str, str]) -> str:
    name, value = match.group(1), match.group(2)
    if name not in flags or flags[name].startswith("`"):
        return match.group(0)
    flag = flags[name]
    if value is None or value == "True":
        return flag
    if value == "False":
        return _SWITCHES.get(name, flag)
    try:
        literal = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return f"{flag} {value}"
    if isinstance(literal, dict):
        return " ".join(f"{flag}-{key} {item}" for key, item in literal.items())
    items = literal if isinstance(literal, (list, tuple)) else [literal]
    return " ".join([flag, *map(str, items)])


class FlagFormatter(logging.Formatter):
    """Messages of the library with arguments written as flags, for the log of a command."""

    def format(self, record: logging.LogRecord) -> str:
        return as_flags(super().format(record))


def logs_flags() -> bool:
    """Return whether the log of this process has flags, as that of a command."""
    return any(isinstance(handler.formatter, FlagFormatter) for handler in logging.getLogger().handlers)
