"""Messages of the library in the words of the command line.

The library speaks of arguments: "`overwrite=True` starts over", "`image_size` must be ...". This module is the one place
that turns these into flags: "--overwrite starts over", "--image-size must be ...".
"""

from __future__ import annotations

import ast
import re

from keras_radtl.config.arguments import ARGUMENTS

_QUOTED = re.compile(r"`([A-Za-z_][A-Za-z0-9_.]*)(?:=([^`]*))?`")
_SWITCHES = {"reuse": "--no-reuse", "masks": "--no-masks"}  # flags of arguments that are True by default
_OPTIONS = (  # arguments of functions that are flags of commands, beside those of a configuration
    "output", "resume", "overwrite", "tensorboard", "reuse", "feature_cache_size", "feature_dtype", "save_models",
    "figures", "skip_missing", "engine", "ray_address", "runs_per_process", "dry_run", "space", "algorithm",
    "max_epochs", "min_epochs", "trials", "factor", "iterations", "keep", "retries", "split", "threshold", "alpha",
    "correction", "mcnemar", "clustered", "response", "fixed", "random", "categorical", "reference", "method",
    "rank_by", "within", "limit", "distance", "count", "difficulty", "masks", "tasks", "strategies", "backbones",
    "rates", "seeds", "pretraining", "schedules", "heads", "structures", "levels", "json", "figure",
)  # fmt: skip


def _flags() -> dict[str, str]:
    """Return the flag of each name that the library may use: short names, and keys with and without their section."""
    flags = {name: "--" + name.replace("_", "-") for name in _OPTIONS}
    for listed in ARGUMENTS.values():
        for argument in listed:
            flags |= dict.fromkeys((argument.name, argument.key, argument.key.rpartition(".")[2]), argument.flag)
    return flags | {"name": "`name`", "path": "`path`"}


FLAGS = _flags()


def as_flags(message: str) -> str:
    """Return a message with its arguments written as flags.

    `name` becomes `--name`, `name=value` becomes `--name value`, `name=True` becomes `--name`, a list becomes its
    items, and `data={'breast': PATH}` becomes `--data-breast PATH`. What is not an option stays as it is.
    """
    return _QUOTED.sub(_translate, message)


def _translate(match: re.Match) -> str:
    name, value = match.group(1), match.group(2)
    if name not in FLAGS or FLAGS[name].startswith("`"):
        return match.group(0)
    flag = FLAGS[name]
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
