"""Lists of runs: names, configurations and factors, in the order in which runs share the most work."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

from keras_radtl.config import Config, HeadConfig, UserError, from_dict, require, to_dict
from keras_radtl.config.errors import shown
from keras_radtl.sweeps.user_code import load_module
from keras_radtl.training.plan import make_plan

Level = str | float | int | None  # of a factor; None: the factor does not apply to the run
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_LONGEST_NAME = 120  # characters


@dataclass(frozen=True)
class RunSpec:
    """One run of a sweep.

    Attributes:
        name: Unique name of letters, digits and `._+-`, which is also the name of its folder.
        config: Everything that determines its result.
        factors: Level of this run by factor; None where the factor does not apply.

    Raises:
        UserError: If a value has a wrong type; the message names the argument.
    """

    name: str
    config: Config
    factors: Mapping[str, Level]

    def __post_init__(self):
        require(isinstance(self.name, str), "name", "the name of a run", self.name)
        require(isinstance(self.config, Config), "config", "a Config", self.config)
        valid = isinstance(self.factors, Mapping) and all(
            isinstance(name, str) and isinstance(level, Level) for name, level in self.factors.items()
        )
        require(valid, "factors", "a dict from names to numbers, texts or None", self.factors)


def name_of(*levels: Level) -> str:
    """Return a run name from levels: `breast-imagenet-resnet50-0.5`; None is omitted."""
    parts = (
        f"{level:g}" if isinstance(level, float) else str(level).replace("-", "_")
        for level in levels
        if level is not None
    )
    return "-".join(re.sub(r"[^a-z0-9._+-]+", "_", part.lower()) for part in parts)


def check_runs(runs: Sequence[RunSpec], source: str = "A list of runs") -> None:
    """Refuse an empty list, names that are not folder names, and names that are used twice.

    Args:
        runs: What the function `runs` of a study returned.
        source: The file or study, for the message about a wrong type.
    Raises:
        UserError: If the list cannot be used; the message names the run.
    """
    if not isinstance(runs, Sequence) or isinstance(runs, str):
        raise UserError(f"{source}: `runs` must return a list of RunSpec. Received: {shown(runs)}")
    for run in runs:
        if not isinstance(run, RunSpec):
            raise UserError(f"{source}: `runs` must return a list of RunSpec. Received an item {shown(run)}")
    if not runs:
        raise UserError("The sweep has no runs: check its options")
    seen = set()
    for run in runs:
        if not _NAME.fullmatch(run.name) or len(run.name) > _LONGEST_NAME:
            rule = f"at most {_LONGEST_NAME} letters, digits and characters ._+-"
            raise UserError(f"The name of a run must be {rule}. Received: {shown(run.name)}")
        if run.name in seen:
            raise UserError(f"Two runs have the name {run.name!r}")
        seen.add(run.name)


def process_key(config: Config) -> Hashable:
    """Return a key that is equal for runs that can be executed in one process."""
    return config.device, config.training.deterministic, config.training.precision


def data_key(config: Config) -> Hashable:
    """Return a key that is equal for runs that use the same dataset and split."""
    return make_plan(config).data_key


def feature_key(config: Config) -> Hashable:
    """Return a key that is equal for runs that can share stored activations, judged by configuration."""
    plan, training = make_plan(config), config.training
    model = replace(config.model, head=HeadConfig())
    cut = (training.strategy, training.unfreeze, training.counting)
    return plan.data_key, model, config.augment, config.seed, training.batch_size, cut


def order_runs(runs: Sequence[RunSpec]) -> list[RunSpec]:
    """Order runs so that they share work: by process settings, then by dataset, then by stored activations.

    Otherwise the order of the list is kept.
    """
    ranks = [_ranks([key(run.config) for run in runs]) for key in (process_key, data_key, feature_key)]
    return [runs[i] for i in sorted(range(len(runs)), key=lambda i: [*(rank[i] for rank in ranks), i])]


def _ranks(keys: Sequence[Hashable]) -> list[int]:
    """Number keys by first appearance."""
    first: dict[Hashable, int] = {}
    return [first.setdefault(key, len(first)) for key in keys]


def cut_batches(runs: Sequence[RunSpec], size: int) -> list[tuple[int, int]]:
    """Split ordered runs into (start, count) per process: at most `size` runs, all with the same `process_key`."""
    batches: list[tuple[int, int]] = []
    for i, run in enumerate(runs):
        start, count = batches[-1] if batches else (0, size)
        if count < size and process_key(runs[start].config) == process_key(run.config):
            batches[-1] = (start, count + 1)
        else:
            batches.append((i, 1))
    return batches


def load_list(path: str | Path) -> ModuleType:
    """Load the Python file of a list of runs.

    Args:
        path: Path of a Python file that defines `runs(choices)`.
    Returns:
        The module. What it does when it is imported, such as adding a backbone, is done.
    Raises:
        UserError: If there is no such file, an error occurs in it, or it does not define `runs`.
    """
    module = load_module(path)
    if not callable(getattr(module, "runs", None)):
        raise UserError(f"{path} must define runs(choices), which returns a list of RunSpec")
    return module


def to_json(runs: Sequence[RunSpec]) -> list[dict]:
    """Return runs as dicts for a JSON file."""
    return [{"name": run.name, "config": to_dict(run.config), "factors": dict(run.factors)} for run in runs]


def from_json(values: Sequence[dict]) -> list[RunSpec]:
    """Return runs from the dicts of `to_json`."""
    return [RunSpec(value["name"], from_dict(Config, value["config"]), value["factors"]) for value in values]
