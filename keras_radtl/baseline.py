"""Train a statistical baseline, or run a simulation: `python -m keras_radtl.baseline lasso --data FOLDER`.

A baseline is a run like those of `fit`: its run directory can be used by all commands.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from keras_radtl.cli.app import run_command
from keras_radtl.cli.options import add_config_options, config_from, given_flags, make_parser
from keras_radtl.config import UserError, dumps
from keras_radtl.config.baselines import INPUTS, KINDS, baseline_values
from keras_radtl.config.lasso_section import LASSO_SOLVERS
from keras_radtl.runs.directory import RUNS, default_output

SIMULATE = "simulate"
_LASSO = ("C", "path", "input", "solver", "l1_ratio", "choice")
_SIMULATION = ("images", "rounds", "workers")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command(_run, argv)


def parser() -> argparse.ArgumentParser:
    """Return the command's argument parser."""
    parser = make_parser("baseline", "Train a statistical baseline on medical images, or run a simulation.")
    kinds = "lasso; logistic (by maximum likelihood); features (L2 logistic regression on frozen features); simulate"
    parser.add_argument("kind", metavar="KIND", choices=[*KINDS, SIMULATE], help=kinds)
    add = parser.add_argument_group("baseline").add_argument
    text = "lasso: weight of the log-losses, in scikit-learn's convention (default: chosen from a path)"
    add("--C", metavar="NUMBER", type=float, help=text)
    add("--path", metavar="STEPS", type=int, help="lasso: number of values of C on the path (default: 20)")
    text = "validation (cases) or cross_validation (of training cases, by group; default: validation)"
    add("--choice", metavar="NAME", help=f"lasso: what chooses C: {text}")
    add("--solver", metavar="NAME", help=f"lasso: {', '.join(LASSO_SOLVERS)} (default: newton)")
    add(
        "--l1-ratio", metavar="NUMBER", type=float, help="lasso: share of the 1-norm; below 1: elastic net (default: 1)"
    )
    text = "of a frozen backbone (default: pixels, but features for the kind features)"
    add("--input", metavar="NAME", help=f"{' or '.join(INPUTS)} {text}")
    add = parser.add_argument_group("simulation").add_argument
    add("--images", metavar="INT", type=int, help="simulate: images in a round (default: 14000)")
    add("--rounds", metavar="INT", type=int, help="simulate: number of rounds (default: 100)")
    add("--workers", metavar="INT", type=int, help="simulate: processes (default: one per processor)")
    add = parser.add_argument_group("output").add_argument
    add("--output", metavar="FOLDER", type=Path, help=f"run directory, or folder of simulate (default: in {RUNS}/)")
    add("--resume", action="store_true", help="resume an unfinished run, or show a finished one again")
    add("--overwrite", action="store_true", help="replace the run in --output")
    add_config_options(parser)
    return parser


def _run(argv: Sequence[str] | None) -> None:
    arguments = parser().parse_args(argv)
    if arguments.kind == SIMULATE:
        _refuse(arguments, _LASSO)
        _simulate(arguments)
        return
    _refuse(arguments, _SIMULATION)
    values = baseline_values(arguments.kind, *(getattr(arguments, name) for name in _LASSO))
    config = config_from(arguments, values)
    if arguments.print_config:
        sys.stdout.write(dumps(config))
        return
    from keras_radtl.reports.run_text import show_run
    from keras_radtl.training.train import train

    output = arguments.output or default_output(config)
    run = train(config, output, resume=arguments.resume, overwrite=arguments.overwrite)
    sys.stdout.write(show_run(run.directory))


def _refuse(arguments: argparse.Namespace, names: Sequence[str]) -> None:
    for name in names:
        if getattr(arguments, name) is not None:
            raise UserError(f"`{name}` cannot be used with the kind {arguments.kind}")


def _simulate(arguments: argparse.Namespace) -> None:
    given = {argument.name: text for argument, text in given_flags(arguments)}
    for name in ("preset", "config", "augment", "radimagenet_flags"):
        given |= {name: ""} if getattr(arguments, name) else {}
    seed = given.pop("seed", "0")
    if given or arguments.set:
        raise UserError(f"`{next(iter(given), 'set')}` cannot be used with the kind {SIMULATE}")
    if not (seed.isascii() and seed.isdigit()):
        raise UserError(f"`seed` must be an integer of at least 0. Received: {seed!r}")
    from keras_radtl.baselines.simulation import simulate
    from keras_radtl.reports.baseline_figures import SIMULATION, write_simulation
    from keras_radtl.reports.baseline_text import simulation_text
    from keras_radtl.runs.outputs import check_output_folder

    folder = arguments.output or RUNS / SIMULATE
    check_output_folder(folder, "output")
    if (folder / SIMULATION).exists() and not arguments.overwrite:
        raise UserError(f"{folder / SIMULATION} exists; `overwrite=True` replaces it")
    options = {name: getattr(arguments, name) for name in _SIMULATION if getattr(arguments, name) is not None}
    report = logging.getLogger(__name__).info
    result = simulate(seed=int(seed), progress=lambda done, total: report("round %d of %d", done, total), **options)
    write_simulation(folder, result)
    sys.stdout.write(f"{simulation_text(result)}written to {folder}\n")


if __name__ == "__main__":
    sys.exit(main())
