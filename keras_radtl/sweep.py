"""Execute a list of runs: `python -m keras_radtl.sweep LIST [OPTIONS]`.

LIST is the name of a study, or a Python file that defines `runs(choices)`; see `keras_radtl.sweeps.study`. Work that
runs share is done once. The table `results.csv` is updated after every run. An interrupted sweep resumes with the same
command.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from keras_radtl.cli.app import run_command
from keras_radtl.cli.options import add_config_options, config_from, given_flags, make_parser
from keras_radtl.config import UserError, dumps
from keras_radtl.config.wording import as_flags
from keras_radtl.studies.table import get_study, known_studies
from keras_radtl.sweeps.choices import Choices
from keras_radtl.sweeps.study import Factor, Study

if TYPE_CHECKING:
    from keras_radtl.sweeps.folder import SweepOptions


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code, 1 if a run failed."""
    return run_command(_run, argv)


def parser(study: Study | None = None) -> argparse.ArgumentParser:
    """Return the argument parser of the command, with the options of a study if one is given."""
    parser = make_parser("sweep", "Execute a list of runs, which share their work." if study is None else study.title)
    known = ", ".join(known_studies())
    parser.add_argument("list", metavar="LIST", help=f"Python file that defines runs(choices), or one of: {known}")
    add = parser.add_argument_group("sweep").add_argument
    add("--output", type=Path, metavar="FOLDER", help="folder of the sweep (default: saved_models/sweep-LIST)")
    add("--skip-missing", nargs="+", default=[], metavar="NAME", help="skip runs without this task or these weights")
    add("--dry-run", action="store_true", help="list the runs with an estimate of time and disk space, and exit")
    add("--engine", choices=("local", "ray"), default="local", help="local, or ray for the machines of a Ray cluster")
    add(
        "--ray-address", metavar="ADDRESS", help="address of a running Ray cluster (default: start one on this machine)"
    )
    text = "start a new process after this many runs (default: %(default)s)"
    add("--runs-per-process", type=int, default=32, metavar="N", help=text)
    add("--no-reuse", action="store_true", help="compute frozen layers again in every epoch; the results are the same")
    text = "disk space for the activations of frozen layers (default: %(default)s)"
    add("--feature-cache-size", type=float, default=8.0, metavar="GB", help=text)
    add("--save-models", action="store_true", help="save the model of every run, not only its results")
    add("--figures", action="store_true", help="draw the figures of every run, not only those of the sweep")
    add_config_options(parser)
    if study is not None:
        _add_study_options(parser.add_argument_group(f"study {study.name}"), study)
    return parser


def _add_study_options(group, study: Study) -> None:
    """Add an option for each factor of a study and for the data of each task."""
    try:
        for factor in study.every_factor:
            _add_factor(group, factor)
        for task in study.tasks:
            text = f"images of the task {task}; or --data with --tasks {task}"
            group.add_argument(f"--data-{task}", dest=f"data_{task}", metavar="PATH", help=text)
    except argparse.ArgumentError as error:
        raise UserError(f"{study.file or study.name}: the command has this option already: {error}") from None


def _add_factor(group, factor: Factor) -> None:
    shown = " ".join(f"{level:g}" if isinstance(level, float) else str(level) for level in factor.levels)
    group.add_argument(
        factor.flag,
        dest=factor.name,
        nargs="+",
        type=factor.kind,
        default=list(factor.levels),
        choices=None if factor.free else factor.levels,
        metavar="LEVEL",
        help=f"{factor.help} (default: {shown})",
    )


def choices_from(arguments: argparse.Namespace, study: Study) -> Choices:
    """Return the choices of the parsed options for a study."""
    asked = [argument.key for argument, _ in given_flags(arguments)]
    asked += [pair.partition("=")[0] for pair in arguments.set]
    paths = {task: path for task in study.tasks if (path := getattr(arguments, f"data_{task}"))}
    levels = {factor.name: getattr(arguments, factor.name) for factor in study.every_factor}
    return Choices(study, partial(config_from, arguments), asked, levels, paths)


def _options(arguments: argparse.Namespace, study: Study) -> SweepOptions:
    from keras_radtl.sweeps.folder import SweepOptions

    return SweepOptions(
        reuse=not arguments.no_reuse,
        feature_cache_size=arguments.feature_cache_size,
        save_models=arguments.save_models,
        figures=arguments.figures,
        module=study.file,
        per_process=arguments.runs_per_process,
    )


def _run(argv: Sequence[str] | None) -> int:
    argv = list(sys.argv[1:] if argv is None else argv)
    study = get_study(argv[0]) if argv and not argv[0].startswith("-") else None
    arguments = parser(study).parse_args(argv)
    if study is None:
        raise UserError("The first argument must be the list of runs: python -m keras_radtl.sweep LIST [OPTIONS]")
    try:
        return _sweep(arguments, study)
    except UserError as error:  # the factors of a study are flags of this command
        raise UserError(as_flags(str(error), [factor.name for factor in study.every_factor])) from None


def _sweep(arguments: argparse.Namespace, study: Study) -> int:
    from keras_radtl.sweeps.sweep import get_engine, list_runs, prepare_sweep

    runs, options = list_runs(study, choices_from(arguments, study)), _options(arguments, study)
    if arguments.print_config:
        sys.stdout.write(dumps(runs[0].config))
        return 0
    engine = get_engine(arguments.engine, arguments.ray_address)
    sweep = prepare_sweep(study, runs, arguments.output, options, arguments.skip_missing)
    if sweep.unfinished:
        sys.stderr.write(f"{sweep.describe_disk()}\n")
    if arguments.dry_run:
        if sweep.unfinished:
            sys.stderr.write(f"{sweep.describe_time()}\n")
        sys.stdout.writelines(f"{run.name}\n" for run in sweep.available)
        return 0
    result = sweep.execute(engine)
    sys.stdout.write(as_flags(result.text, [factor.name for factor in study.every_factor]))
    return 1 if result.failed else 0


if __name__ == "__main__":
    sys.exit(main())
