"""The space of a search: configuration keys with their possible values, declared in YAML or JSON.

A dotted configuration key has a list of values or a range, and may depend on the value of another key:

    model.head.name: [linear, conv]
    model.head.filters: {values: [4, 16], when: {model.head.name: [conv]}}
    model.head.dropout: {low: 0.0, high: 0.6, step: 0.2}
    training.learning_rate: {low: 1e-5, high: 1e-2, log: true}

All values are validated before the search begins. Keys that determine the validation cases, and the epochs, which the
search determines, cannot be searched.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from pathlib import Path

from keras_radtl.config import Config, UserError, load_values, require, update

_CONV, _HIDDEN = {"model.head.name": ["conv", "conv_skip"]}, {"model.head.name": ["nonlinear", "conv", "conv_skip"]}
DEFAULT_SPACE: dict[str, object] = {
    "model.head.name": ["linear", "nonlinear", "conv", "conv_skip"],
    "model.head.ratio": {"values": [0.25, 0.5, 1.0], "when": _HIDDEN},
    "model.head.filters": {"values": [4, 8, 16], "when": _CONV},
    "model.head.kernel_size": {"values": [2, 4, 8], "when": _CONV},
    "model.head.dropout": {"low": 0.0, "high": 0.6, "step": 0.1, "when": _HIDDEN},
    "training.strategy": ["fixed", "l2_sp"],
    "training.unfreeze": {"values": ["none", "top1", "top2", "all"], "when": {"training.strategy": ["fixed"]}},
    "training.alpha": {"low": 1e-4, "high": 1e-1, "log": True, "when": {"training.strategy": ["l2_sp"]}},
    "training.learning_rate": {"low": 1e-5, "high": 1e-2, "log": True},
    "training.optimizer": ["adam", "sgd"],
    "training.weight_decay": {"low": 1e-6, "high": 1e-2, "log": True},
}
_NOT_SEARCHED = {
    "training.epochs": "the search determines the epochs",
    "training.phase_epochs": "the search determines the epochs",
    "training.deterministic": "it does not affect the model",
}
MOST_STEPS = 10**6  # of a range
_FIELDS = ("values", "low", "high", "log", "step", "when")


@dataclass(frozen=True)
class Parameter:
    """A key of a space, with a list of values or a range.

    Attributes:
        key: Dotted configuration key.
        values: The possible values; empty for a range.
        low: Smallest value of a range.
        high: Largest value of a range.
        log: Whether the range is sampled on a logarithmic scale.
        step: Distance between the values of a range; None: any value.
        integer: Whether the values of a range are integers.
        when: Pairs (other key, its values). The parameter is active only if each of these keys has one of its values.
    """

    key: str
    values: tuple = ()
    low: float = 0
    high: float = 0
    log: bool = False
    step: float | None = None
    integer: bool = False
    when: tuple[tuple[str, tuple], ...] = ()

    def active(self, chosen: Mapping) -> bool:
        """Return whether the parameter is active, given the values of other parameters."""
        return all(key in chosen and chosen[key] in values for key, values in self.when)

    def declaration(self) -> list | dict:
        """Return the parameter in the form of a declaration."""
        if self.values and not self.when:
            return list(self.values)
        found = {"values": list(self.values)} if self.values else {"low": self.low, "high": self.high}
        found |= {name: value for name, value in (("log", self.log), ("step", self.step)) if value}
        return {**found, **({"when": {key: list(values) for key, values in self.when}} if self.when else {})}

    @property
    def default(self):
        """The first value of a list, or the largest value of a range, which needs most memory and time."""
        return self.values[0] if self.values else self.high

    @property
    def count(self) -> float:
        """Number of values; infinity for a range of floats without steps."""
        if self.values:
            return len(self.values)
        step = self.step or (1 if self.integer else None)
        return math.floor((self.high - self.low) / step + 1e-9) + 1 if step else math.inf


@dataclass(frozen=True)
class Space:
    """The parameters of a search; each follows the parameters on which it depends."""

    parameters: tuple[Parameter, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """The configuration keys."""
        return tuple(parameter.key for parameter in self.parameters)

    @property
    def combinations(self) -> float:
        """Upper bound of the number of configurations; infinity if a range of floats has no steps."""
        return math.prod(parameter.count for parameter in self.parameters)

    def to_dict(self) -> dict:
        """Return the space in the form of a declaration."""
        return {parameter.key: parameter.declaration() for parameter in self.parameters}

    def complete(self, wanted: Mapping) -> dict:
        """Return a value for each active parameter: the given one, otherwise the default."""
        chosen: dict = {}
        for parameter in self.parameters:
            if parameter.active(chosen):
                chosen[parameter.key] = wanted.get(parameter.key, parameter.default)
        return chosen

    def corners(self) -> Iterator[dict]:
        """Yield combinations that together include every listed value and both ends of every range."""
        yield self.complete({})
        for parameter in self.parameters:
            for value in parameter.values or (parameter.low, parameter.high):
                if value != parameter.default or parameter.when:
                    yield self.complete({**self._enabling(parameter), parameter.key: value})

    def _enabling(self, parameter: Parameter) -> dict:
        wanted: dict = {}
        for key, values in parameter.when:
            wanted |= self._enabling(next(p for p in self.parameters if p.key == key))
            wanted[key] = values[0]
        return wanted


def apply(config: Config, chosen: Mapping, epochs: int) -> Config:
    """Return a configuration with the values and epochs of a trial.

    Args:
        config: The configuration of the search.
        chosen: Values by dotted key.
        epochs: Number of epochs of all phases.
    """
    nested: dict = {}
    for key, value in {**chosen, "training.epochs": epochs}.items():
        *parents, name = key.split(".")
        part = nested
        for parent in parents:
            part = part.setdefault(parent, {})
        part[name] = value
    return update(config, nested)


def read_space(source: str | Path, config: Config) -> Space:
    """Read a space from a YAML or JSON file.

    Args:
        source: The file, or "default" for the default space.
        config: The configuration of the search.
    Raises:
        UserError: If the file cannot be read or the space is not valid.
    """
    if str(source) == "default":
        return make_space(DEFAULT_SPACE, config)
    require(os.path.isfile(source), "space", "an existing file, `default` or the name of a study", str(source))
    return make_space(load_values(source), config)


def make_space(declared: Mapping, config: Config) -> Space:
    """Return a declared space after validating it.

    Args:
        declared: By dotted key, a list of values, or a dict with `values`, or `low` and `high`, and optionally `log`,
            `step` and `when`.
        config: The configuration of the search.
    Raises:
        UserError: If the space is not valid; the message names the key, the rule and the value.
    """
    require(isinstance(declared, Mapping) and len(declared) > 0, "space", "a table with at least one key", declared)
    found = {key: _parameter(str(key), entry, config) for key, entry in declared.items()}
    for parameter in found.values():
        for key, values in parameter.when:
            known = key in found and found[key].values
            _require(bool(known), f"{parameter.key}.when", "about keys of the space that have a list of values", key)
            missing = [value for value in values if value not in known]
            _require(not missing, f"{parameter.key}.when.{key}", f"among {list(known)}", missing)
    space = Space(tuple(_ordered(found)))
    for chosen in space.corners():
        apply(config, chosen, config.training.epochs)
    return space


def _ordered(found: dict[str, Parameter]) -> Iterator[Parameter]:
    left, done = dict(found), set()
    while left:
        ready = [p for p in left.values() if all(key in done for key, _ in p.when)]
        _require(bool(ready), "when", "without a cycle", ", ".join(left))
        for parameter in ready:
            done.add(parameter.key)
            del left[parameter.key]
        yield from ready


def _parameter(key: str, entry, config: Config) -> Parameter:
    _require_searchable(key)
    entry = {"values": entry} if isinstance(entry, list) else entry
    _require(isinstance(entry, Mapping), key, "a list of values, or a table with low and high", entry)
    unknown = [name for name in entry if name not in _FIELDS]
    _require(not unknown, key, f"a table with some of {', '.join(_FIELDS)}", unknown)
    when = entry.get("when") or {}
    pairs = isinstance(when, Mapping) and all(isinstance(some, (list, tuple)) and some for some in when.values())
    _require(pairs, f"{key}.when", "a table from keys to lists of values", when)
    depends = tuple((other, tuple(values)) for other, values in when.items())
    if entry.get("values") is None or "low" in entry or "high" in entry:
        return _range(key, entry, depends, config)
    values = entry["values"]
    _require(isinstance(values, (list, tuple)) and len(values) > 0, key, "a list of one or more values", values)
    plain = "log" not in entry and "step" not in entry
    _require(plain, key, "a table without log and step, which belong to a range", dict(entry))
    checked = [_checked(config, key, value) for value in values]
    return Parameter(key, tuple(v for i, v in enumerate(checked) if v not in checked[:i]), when=depends)


def _range(key: str, entry: Mapping, when: tuple, config: Config) -> Parameter:
    ends = {"low", "high"} <= set(entry) and "values" not in entry
    _require(ends, key, "a table with either values, or both low and high", dict(entry))
    low, high = _checked(config, key, entry["low"]), _checked(config, key, entry["high"])
    number = all(isinstance(end, (int, float)) and not isinstance(end, bool) for end in (low, high))
    _require(number, key, "a list of values, since its type is not a number", [low, high])
    _require(low < high, f"{key}.high", f"> low, {low}", high)
    log, step = entry.get("log") or False, entry.get("step")
    _require(isinstance(log, bool), f"{key}.log", "true or false", log)
    _require(not log or low > 0, f"{key}.low", "> 0 on a logarithmic scale", low)
    integer = isinstance(low, int)
    kinds = int if integer else (int, float)
    number = isinstance(step, kinds) and not isinstance(step, bool)
    valid = step is None or (number and 0 < step <= high - low <= step * MOST_STEPS and not log)
    _require(valid, f"{key}.step", f"a number in (0, {high - low}] with at most {MOST_STEPS} steps, without log", step)
    return Parameter(key, low=low, high=high, log=log, step=step, integer=integer, when=when)


def _require(condition: bool, key: str, rule: str, value) -> None:
    """Raise a `UserError` about a key of the space; in quotes, since a key of a space is not an argument."""
    if not condition:
        raise UserError(f"The space is not valid: {key!r} must be {rule}. Received: {value!r}")


def _require_searchable(key: str) -> None:
    part, _, name = key.partition(".")
    searched = part in ("model", "training", "augment") or key == "data.image_size"
    known = hasattr(Config(), part)
    if known and not searched:
        raise UserError(f"{key!r} cannot be searched: all trials have the same cases, split and seed")
    if key in _NOT_SEARCHED:
        raise UserError(f"{key!r} cannot be searched: {_NOT_SEARCHED[key]}")


def _checked(config: Config, key: str, value):
    """Return a value, converted to the type of the configuration key."""
    nested = value
    for part in reversed(key.split(".")):
        nested = {part: nested}
    taken = update(config, nested)
    for part in key.split("."):
        taken = getattr(taken, part)
    _require(not is_dataclass(taken), key, "a key, not a section", value)
    return list(taken) if isinstance(taken, tuple) else taken
