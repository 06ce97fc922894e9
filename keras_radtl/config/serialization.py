"""Nested frozen dataclasses to and from plain values: JSON or YAML in and out, unknown keys and wrong types refused.

The key of a field is its name, unless its metadata holds another one under `key`.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

from keras_radtl.config.errors import UserError, require


def field_key(field: dataclasses.Field) -> str:
    """Return the configuration key of a dataclass field."""
    return field.metadata.get("key", field.name)


def to_dict(config) -> dict:
    """Return a configuration as nested plain dicts, lists and scalars."""
    return {field_key(field): _plain(getattr(config, field.name)) for field in fields(config)}


def _plain(value):
    if is_dataclass(value):
        return to_dict(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


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
    """Return a copy of `config` in which the nested `values` replace its own."""
    require(isinstance(values, dict), where or "configuration", "a table of keys and values", values)
    hints, changes = typing.get_type_hints(type(config)), {}
    known = {field_key(field): field.name for field in fields(config)}
    for key, value in values.items():
        name = f"{where}.{key}" if where else key
        if key not in known:
            raise UserError(f"Unknown configuration key `{repr(name)[1:-1]}`. Known keys here: {', '.join(known)}")
        field = known[key]
        old = getattr(config, field)
        changes[field] = update(old, value, name) if is_dataclass(old) else _cast(hints[field], value, name)
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
    return update(config, nested({dotted: value}))


def nested(values: Mapping[str, object]) -> dict:
    """Return a dict with dotted keys as nested dicts; a table is merged with what other keys put there.

    Raises:
        UserError: when a key is both a value and a table.
    """
    result: dict = {}
    for dotted, value in values.items():
        _put(result, dotted, value)
    return result


def merge(*layers: Mapping) -> dict:
    """Return nested dicts merged, table by table; the values of later ones win."""
    result: dict = {}
    for layer in layers:
        for key, value in layer.items():
            old = result.get(key)
            both = isinstance(old, Mapping) and isinstance(value, Mapping)
            result[key] = merge(old, value) if both else value
    return result


def _put(table: dict, dotted: str, value) -> None:
    *parents, last = dotted.split(".")
    for part in parents:
        table = table.setdefault(part, {})
        require(isinstance(table, dict), dotted, f"a key, and `{part}` is not a table", value)
    table[last] = merge(table.get(last) or {}, value) if isinstance(value, Mapping) else value


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
