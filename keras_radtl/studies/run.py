"""Sweeps from Python: `run_sweep` does the same as the command `sweep`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

from keras_radtl.config import Config, UserError, require
from keras_radtl.config.arguments import expand
from keras_radtl.studies.table import get_study
from keras_radtl.sweeps.choices import Choices
from keras_radtl.sweeps.folder import SweepOptions
from keras_radtl.sweeps.run_list import RunSpec
from keras_radtl.sweeps.study import Study, study_of_runs
from keras_radtl.sweeps.sweep import SweepResult, get_engine, list_runs, prepare_sweep

logger = logging.getLogger(__name__)


def run_sweep(
    study: str | PathLike | Sequence[RunSpec],
    output: str | PathLike | None = None,
    *,
    data: str | PathLike | Mapping[str, str | PathLike] | None = None,
    skip_missing: Sequence[str] = (),
    dry_run: bool = False,
    engine: str = "local",
    ray_address: str | None = None,
    runs_per_process: int = 32,
    reuse: bool = True,
    feature_cache_size: float = 8.0,
    save_models: bool = False,
    figures: bool = False,
    **choices,
) -> SweepResult:
    """Execute the unfinished runs of a study and compare all runs.

    Work that runs share is done once. An interrupted sweep resumes when the function is called again with the same
    arguments.

    Example: `run_sweep("grid176", data="BUSI", tasks="breast", heads=["Linear", "Conv"]).table`.

    Args:
        study: Name of a study such as `grid176`, path of a Python file with `runs(choices)`, or a list of `RunSpec`.
        output: Folder of the sweep; default: `saved_models/sweep-NAME`. Required for a list of `RunSpec`.
        data: Path of the images, or a dict from tasks to paths.
        skip_missing: Tasks, weight sets, backbones or `weights:backbone`; runs for which one is missing are skipped.
        dry_run: Only list the runs, with an estimate of disk space and time.
        engine: `local`, or `ray` for the machines of a Ray cluster.
        ray_address: Address of a running Ray cluster; None: one is started on this machine.
        runs_per_process: Maximum number of runs in one process.
        reuse: Compute frozen layers once for all runs; the results are the same without.
        feature_cache_size: Disk space for the activations of frozen layers, in gigabytes.
        save_models: Save the model of every run, not only its results.
        figures: Draw the figures of every run.
        choices: Levels by the name of a factor (`backbones=["ResNet50"]`), and configuration values as in
            `Config.preset` (`epochs=3`, `**{"augment.rotation": 0}`).
    Returns:
        The table of all runs and the text of the comparison.
    Raises:
        UserError: If an argument is wrong, or something that runs need is missing; the message names the argument, the
            rule and the value.
        Stopped: After Ctrl-C or SIGTERM.
    """
    found = get_study(study) if isinstance(study, str | PathLike) else study_of_runs(study)
    folder = None if output is None else Path(output)
    if folder is None and not found.name:
        raise UserError("`output` must be given for a sequence of RunSpec")
    runs = list_runs(found, choices_from(found, data, choices))
    run_engine = get_engine(engine, ray_address)
    options = SweepOptions(
        reuse, feature_cache_size, save_models, figures, module=found.file, per_process=runs_per_process
    )
    sweep = prepare_sweep(found, runs, folder, options, skip_missing)
    if dry_run:
        return sweep.preview()
    if sweep.unfinished:
        logger.info(sweep.describe_disk())
    return sweep.execute(run_engine)


def choices_from(study: Study, data: str | PathLike | Mapping | None, keywords: Mapping[str, object]) -> Choices:
    """Return the choices of the arguments of `run_sweep`.

    Args:
        study: The study.
        data: One path, or paths by task.
        keywords: Levels by the name of a factor, and configuration values as in `Config.preset`.
    Raises:
        UserError: If an argument, task or level is unknown.
    """
    names = [factor.name for factor in study.every_factor]
    levels: dict = {name: value for name, value in keywords.items() if name in names}
    overrides = {name: value for name, value in keywords.items() if name not in names}
    paths: dict[str, str] = {}
    if isinstance(data, Mapping):
        unknown = [task for task in data if task not in study.tasks]
        known = f"a dict from tasks ({', '.join(study.tasks)})" if study.tasks else "one path for a study without tasks"
        require(not unknown, "data", known, unknown[0] if unknown else None)
        paths = {task: str(path) for task, path in data.items()}
    elif data is not None:
        overrides["data"] = data
    try:
        asked = expand(overrides)
    except UserError as error:
        raise UserError(f"{error}" + (f". Factors of this study: {', '.join(names)}" if names else "")) from None

    def configure(values: Mapping) -> Config:
        return Config.from_layers(values.get("preset", "quickstart"), values, asked)

    return Choices(study, configure, _leaves(asked), levels, paths)


def _leaves(values: Mapping, where: str = "") -> list[str]:
    """Return the dotted keys of nested values."""
    keys = []
    for name, value in values.items():
        key = f"{where}{name}"
        keys += _leaves(value, f"{key}.") if isinstance(value, Mapping) else [key]
    return keys
