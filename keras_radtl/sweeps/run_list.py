"""Lists of runs: names, configurations and factors, in the order in which runs share the most work."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from keras_radtl.config import Config, UserError, from_dict, to_dict

Level = str | float | int | None
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


@dataclass(frozen=True)
class RunSpec:
    """One run of a sweep.

    Attributes:
        name: unique, letters, digits and `._+-`: the name of its folder.
        config: everything that determines its result.
        factors: by factor, the level of this run; None where the factor does not apply.
    """

    name: str
    config: Config
    factors: Mapping[str, Level]


def name_of(*levels: Level) -> str:
    """Return a run name from levels: `breast-imagenet-resnet50-0.5`; None is omitted."""
    parts = (
        f"{level:g}" if isinstance(level, float) else str(level).replace("-", "_")
        for level in levels
        if level is not None
    )
    return "-".join(re.sub(r"[^a-z0-9._+-]+", "_", part.lower()) for part in parts)


def check_runs(runs: Sequence[RunSpec]) -> None:
    """Refuse an empty list, names that are not folder names, and names that are used twice.

    Raises:
        UserError: naming the run.
    """
    if not runs:
        raise UserError("The sweep has no runs: check its options")
    seen = set()
    for run in runs:
        if not _NAME.fullmatch(run.name):
            raise UserError(
                f"A run name must consist of letters, digits and the characters ._+- . Received: {run.name!r}"
            )
        if run.name in seen:
            raise UserError(f"Two runs have the name {run.name!r}")
        seen.add(run.name)


def _key(*parts) -> str:
    return json.dumps(parts, sort_keys=True)


def process_key(config: Config) -> str:
    """Return a key that is equal for runs that can be executed in one process."""
    return _key(config.device, config.training.deterministic, config.training.precision)


def data_key(config: Config) -> str:
    """Return a key that is equal for runs that use the same dataset and split."""
    size = None if config.data.image_size else config.model.backbone
    values = to_dict(config)
    return _key(values["data"], values["split"], config.split_seed, size)


def feature_key(config: Config) -> str:
    """Return a key that is equal for runs that can use the same stored activations, judged by configuration."""
    values = to_dict(config)
    model = {name: value for name, value in values["model"].items() if name != "head"}
    training = values["training"]
    cut = [training[name] for name in ("strategy", "unfreeze", "counting")]
    return _key(data_key(config), model, values["augment"], config.seed, training["batch_size"], cut)


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
        path: of a Python file that defines `runs(choices)`.
    Returns:
        The module. What it does when it is imported, such as adding a backbone, is done.
    Raises:
        UserError: when there is no such file, or when it defines no `runs`.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"No such list of runs: {path}")
    spec = importlib.util.spec_from_file_location(f"sweep_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UserError(f"A list of runs must be a Python file. Received: {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not callable(getattr(module, "runs", None)):
        raise UserError(f"{path} must define runs(choices), which returns a list of RunSpec")
    return module


def to_json(runs: Sequence[RunSpec]) -> list[dict]:
    """Return runs as dicts for a JSON file."""
    return [{"name": run.name, "config": to_dict(run.config), "factors": dict(run.factors)} for run in runs]


def from_json(values: Sequence[dict]) -> list[RunSpec]:
    """Return runs from the dicts of `to_json`."""
    return [RunSpec(value["name"], from_dict(Config, value["config"]), value["factors"]) for value in values]
