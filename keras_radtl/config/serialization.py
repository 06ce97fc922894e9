"""Conversion of nested frozen dataclasses to and from JSON and YAML; unknown keys and wrong types are rejected.

The key of a field is its name, or `metadata["key"]` if that is set.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from keras_radtl.config.errors import UserError, listed, require, shown
from keras_radtl.config.fields import cast, type_hints

MAX_BYTES = 1_000_000  # of a configuration file
MAX_PARTS = 8  # of a dotted key


def field_key(field: dataclasses.Field) -> str:
    """Return the configuration key of a dataclass field."""
    return field.metadata.get("key", field.name)


def to_dict(config) -> dict:
    """Return a configuration as nested dicts, lists and scalars."""
    return {field_key(field): _plain(getattr(config, field.name)) for field in fields(config)}


def _plain(value):
    if is_dataclass(value):
        return to_dict(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def from_dict(kind: type, values: dict, where: str = ""):
    """Build a configuration dataclass from nested dicts; unknown keys and wrong types are rejected.

    Args:
        kind: The dataclass, such as `Config`.
        values: Values by key; missing keys have their default.
        where: Dotted key of the dataclass, for messages.
    Raises:
        UserError: If a key or value is not valid; the message names the key, the rule and the value.
    """
    return update(kind(), values, where)


def update(config, values: dict, where: str = ""):
    """Return a copy of a configuration dataclass with changed values.

    Args:
        config: The dataclass.
        values: Nested values by key.
        where: Dotted key of the dataclass, for messages.
    Raises:
        UserError: If a key or value is not valid; the message names the key, the rule and the value.
    """
    require(isinstance(values, dict), where or "configuration", "a table of keys and values", values)
    hints, changes = type_hints(type(config)), {}
    known = {field_key(field): field.name for field in fields(config)}
    for key, value in values.items():
        name = f"{where}.{key}" if where else key
        if key not in known:
            raise UserError(f"Unknown configuration key {shown(name)}. Known keys here: {listed(known)}")
        field = known[key]
        old = getattr(config, field)
        changes[field] = update(old, value, name) if is_dataclass(old) else cast(hints[field], value, name)
    return replace(config, **changes)


def set_key(config, dotted: str, value):
    """Return a copy of `config` with one key, such as `training.epochs`, set."""
    return update(config, nested({dotted: value}))


def get_key(config, dotted: str):
    """Return the value of a key such as `training.epochs`."""
    for part in dotted.split("."):
        config = getattr(config, part)
    return config


def is_optional(kind: type, dotted: str) -> bool:
    """Return whether a key of a configuration dataclass may be None."""
    hint: Any = kind
    for part in dotted.split("."):
        hint = type_hints(hint)[part]
    return type(None) in typing.get_args(hint)


def nested(values: Mapping[str, object]) -> dict:
    """Return a dict with dotted keys as nested dicts; tables of the same key are merged.

    Raises:
        UserError: If a key is both a value and a table.
    """
    result: dict = {}
    for dotted, value in values.items():
        _put(result, dotted, value)
    return result


def merge(*layers: Mapping) -> dict:
    """Return nested dicts merged table by table; later values take precedence."""
    result: dict = {}
    for layer in layers:
        for key, value in layer.items():
            old = result.get(key)
            if isinstance(old, Mapping) and isinstance(value, Mapping):
                result[key] = merge(old, value)
            else:
                result[key] = value
    return result


def _put(table: dict, dotted: str, value) -> None:
    *parents, last = dotted.split(".", MAX_PARTS)
    for part in parents:
        table = table.setdefault(part, {})
        require(isinstance(table, dict), dotted, f"inside a table, but {part!r} is a value", value)
    old = table.get(last)
    table[last] = merge(old if isinstance(old, Mapping) else {}, value) if isinstance(value, Mapping) else value


def load_values(path: str | Path) -> dict:
    """Read the nested dict of a JSON or YAML configuration file.

    Raises:
        UserError: If the file is missing or is not valid JSON or YAML.
    """
    from keras_radtl.config.yaml_reader import read_yaml

    path = Path(path)
    try:
        if not path.is_file():
            raise UserError(f"No such configuration file: {path}")
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise UserError(f"{path} must be a configuration file of at most 1 MB. It has {size / 1e6:.1f} MB")
        values = read_yaml(path.read_text(encoding="utf-8"))
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"Cannot read configuration file {path}: {error.strerror}") from None
    except ValueError as error:  # also text that is not UTF-8
        raise UserError(f"{path} is not valid JSON or YAML: {error}") from None
    require(isinstance(values, dict), str(path), "a table of keys and values", values)
    return values


def dumps(config) -> str:
    """Return a configuration as indented JSON, which is also YAML."""
    return json.dumps(to_dict(config), indent=2) + "\n"
