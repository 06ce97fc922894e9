"""A list of runs: names, configurations and factors, in the order in which they share the most work."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from keras_radtl.config import Config, UserError, from_dict, to_dict

Level = str | float | int | None
FOLDERS = (Path("tuners"), Path(__file__).parents[2] / "tuners")  # where a list of runs is looked for by name
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


@dataclass(frozen=True)
class RunSpec:
    """One run of a sweep.

    Attributes:
        name: unique, letters, digits and `._+-`: the name of its folder.
        config: all that decides its result.
        factors: by factor, the level at which this run stands; None where the factor does not apply.
    """

    name: str
    config: Config
    factors: Mapping[str, Level]


def name_of(*levels: Level) -> str:
    """Return a run name from levels: `breast-imagenet-resnet50-0.5`; None is left out."""
    parts = (
        f"{level:g}" if isinstance(level, float) else str(level).replace("-", "_")
        for level in levels
        if level is not None
    )
    return "-".join(re.sub(r"[^a-z0-9._+-]+", "_", part.lower()) for part in parts)


def check_runs(runs: Sequence[RunSpec]) -> None:
    """Refuse an empty list, a name that is no folder name and a name that two runs have.

    Raises:
        UserError: naming the run.
    """
    if not runs:
        raise UserError("The sweep has no run: check its options")
    seen = set()
    for run in runs:
        if not _NAME.fullmatch(run.name):
            raise UserError(f"A run name must be letters, digits and ._+- . Received: {run.name!r}")
        if run.name in seen:
            raise UserError(f"Two runs have the name {run.name!r}")
        seen.add(run.name)


def _key(*parts) -> str:
    return json.dumps(parts, sort_keys=True)


def process_key(config: Config) -> str:
    """Return what two runs must agree in to follow each other in one process."""
    return _key(config.device, config.training.deterministic, config.training.precision)


def data_key(config: Config) -> str:
    """Return what two runs must agree in to use the same loaded and divided images."""
    size = None if config.data.image_size else config.model.backbone
    values = to_dict(config)
    return _key(values["data"], values["split"], config.split_seed, size)


def feature_key(config: Config) -> str:
    """Return what two runs must agree in to use the same stored activations, as far as a configuration tells."""
    values = to_dict(config)
    model = {name: value for name, value in values["model"].items() if name != "head"}
    training = values["training"]
    cut = [training[name] for name in ("strategy", "unfreeze", "counting")]
    return _key(data_key(config), model, values["augment"], config.seed, training["batch_size"], cut)


def order_runs(runs: Sequence[RunSpec]) -> list[RunSpec]:
    """Order runs so that shared work is shared: same process settings, data, then activations next to each other.

    Otherwise the order of the list is kept.
    """
    ranks = [_ranks([key(run.config) for run in runs]) for key in (process_key, data_key, feature_key)]
    return [runs[i] for i in sorted(range(len(runs)), key=lambda i: [*(rank[i] for rank in ranks), i])]


def _ranks(keys: Sequence[Hashable]) -> list[int]:
    """Number keys by first appearance."""
    first: dict[Hashable, int] = {}
    return [first.setdefault(key, len(first)) for key in keys]


def cut_batches(runs: Sequence[RunSpec], size: int) -> list[tuple[int, int]]:
    """Cut ordered runs into (start, count) for one process each: at most `size` runs of equal `process_key`."""
    batches: list[tuple[int, int]] = []
    for i, run in enumerate(runs):
        start, count = batches[-1] if batches else (0, size)
        if count < size and process_key(runs[start].config) == process_key(run.config):
            batches[-1] = (start, count + 1)
        else:
            batches.append((i, 1))
    return batches


def load_list(name: str) -> ModuleType:
    """Load the file that defines a list of runs by `runs(arguments)`.

    Args:
        name: path of a Python file, or the name of one in `tuners/`.
    Raises:
        UserError: when there is none, with the known names, or when it defines no `runs`.
    """
    candidates = [Path(name), *(folder / f"{name}.py" for folder in FOLDERS)]
    path = next((path for path in candidates if path.suffix == ".py" and path.is_file()), None)
    if path is None:
        raise UserError(f"There is no list of runs {name!r}. Give a Python file, or one of: {', '.join(known_lists())}")
    spec = importlib.util.spec_from_file_location(f"sweep_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not isinstance(getattr(module, "runs", None), Callable):
        raise UserError(f"{path} must define runs(arguments), which returns a list of RunSpec")
    return module


def known_lists() -> list[str]:
    """Return the names of the files in `tuners/` that define a list of runs."""
    files = {path for folder in FOLDERS for path in folder.glob("*.py")}
    return sorted({path.stem for path in files if "\ndef runs(" in path.read_text(encoding="utf-8")})


def to_json(runs: Sequence[RunSpec]) -> list[dict]:
    """Return runs as plain dicts."""
    return [{"name": run.name, "config": to_dict(run.config), "factors": dict(run.factors)} for run in runs]


def from_json(values: Sequence[dict]) -> list[RunSpec]:
    """Return the runs that `to_json` wrote."""
    return [RunSpec(value["name"], from_dict(Config, value["config"]), value["factors"]) for value in values]


def add_levels(group, flag: str, levels: Sequence[Level], text: str, free: bool = False) -> None:
    """Add an option that names the levels of a factor, all of `levels` by default.

    Args:
        group: argparse group or parser.
        flag: such as `--tasks`.
        levels: the levels of the study.
        text: help.
        free: other levels than those are allowed too.
    """
    choices = None if free else levels
    shown = " ".join(f"{level:g}" if isinstance(level, float) else str(level) for level in levels)
    kind = type(levels[0])
    group.add_argument(
        flag,
        nargs="+",
        type=kind,
        default=list(levels),
        choices=choices,
        metavar="LEVEL",
        help=f"{text} (default: {shown})",
    )
