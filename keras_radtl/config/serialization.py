"""Nested frozen dataclasses to and from plain values: JSON or YAML in and out, unknown keys and wrong types refused."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

from keras_radtl.config.errors import UserError, require


def to_dict(config) -> dict:
    """Return a configuration as nested plain dicts, lists and scalars."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def from_dict(kind: type, values: dict, where: str = ""):
    """Build a configuration dataclass from nested dicts; unknown keys and wrong types are refused.

    Args:
        kind: the dataclass to make, such as `Config`.
        values: dict of its fields; missing ones keep their default.
        where: dotted name of the part, for messages.
    Raises:
        UserError: naming the key, the rule and the value.
    """
    return update(kind(), values, where)


def update(config, values: dict, where: str = ""):
    """Return a copy of `config` with the nested `values` put in place of its own."""
    require(isinstance(values, dict), where or "configuration", "a table of keys and values", values)
    hints, changes = typing.get_type_hints(type(config)), {}
    known = [f.name for f in fields(config)]
    for key, value in values.items():
        name = f"{where}.{key}" if where else key
        if key not in known:
            raise UserError(f"Unknown configuration key `{repr(name)[1:-1]}`. Known keys here: {', '.join(known)}")
        old = getattr(config, key)
        changes[key] = update(old, value, name) if is_dataclass(old) else _cast(hints[key], value, name)
    return replace(config, **changes)


def _cast(hint, value, name: str):
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if value is None and type(None) in options:
        return None
    kind = next(o for o in options if o is not type(None))
    if typing.get_origin(kind) is tuple:
        require(isinstance(value, (list, tuple)), name, "a list", value)
        return tuple(_cast(typing.get_args(kind)[0], v, name) for v in value)
    if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if kind is float and isinstance(value, str):  # YAML reads 1e-4 as a string
        try:
            return float(value)
        except ValueError:
            pass
    require(type(value) is kind, name, f"of type {kind.__name__}", value)
    return value


def set_key(config, dotted: str, value):
    """Return a copy of `config` with one key, such as `training.epochs`, set."""
    nested = value
    for part in reversed(dotted.split(".")):
        nested = {part: nested}
    return update(config, nested)


def load_values(path: str | Path) -> dict:
    """Read the nested dict of a JSON or YAML configuration file.

    Raises:
        UserError: when the file is missing or not valid JSON or YAML.
    """
    import yaml

    path = Path(path)
    if not path.is_file():
        raise UserError(f"No such configuration file: {path}")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))  # JSON is YAML
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid JSON or YAML: {' '.join(str(error).split())}") from None
    require(isinstance(values, dict), str(path), "a table of keys and values", values)
    return values


def dumps(config) -> str:
    """Return a configuration as indented JSON, which is also YAML."""
    return json.dumps(to_dict(config), indent=2) + "\n"
