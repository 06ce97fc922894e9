"""Execute a list of runs: `python -m keras_radtl.sweep LIST [OPTIONS]`.

LIST is a Python file that defines `runs(arguments)`, or the name of one in tuners/. Work that runs share is done once;
the table `results.csv` is written after every run; the same command goes on where it was stopped.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from keras_radtl.cli.app import run_command
from keras_radtl.cli.options import FLAGS, add_config_options, config_from, make_parser
from keras_radtl.config import UserError, dumps, require

RUNS = Path("saved_models")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code, 1 when a run failed."""
    return run_command(_run, argv)


def parser(module=None):
    """Return the command's argument parser, with the options of a list of runs when its module is given."""
    from keras_radtl.sweeps.run_list import known_lists

    about = "Execute a list of runs, sharing their work." if module is None else (module.__doc__ or "").split("\n")[0]
    parser = make_parser("sweep", about)
    known = ", ".join(known_lists())
    parser.add_argument("list", metavar="LIST", help=f"Python file that defines runs(arguments), or one of: {known}")
    group = parser.add_argument_group("sweep")
    group.add_argument("--output", type=Path, metavar="FOLDER", help=f"of the sweep (default: {RUNS}/sweep-LIST)")
    group.add_argument(
        "--skip-missing", nargs="+", default=[], metavar="NAME", help="leave out runs that lack this task or weights"
    )
    group.add_argument("--dry-run", action="store_true", help="list the runs with an estimate and stop")
    group.add_argument(
        "--engine", choices=("local", "ray"), default="local", help="ray: on the machines of a Ray cluster"
    )
    group.add_argument(
        "--ray-address", metavar="ADDRESS", help="of a running Ray cluster (default: one on this machine)"
    )
    group.add_argument(
        "--runs-per-process", type=int, default=32, metavar="N", help="then a fresh process (default: %(default)s)"
    )
    group.add_argument("--no-reuse", action="store_true", help="compute frozen layers anew in every epoch; same result")
    group.add_argument(
        "--feature-cache-size", type=float, default=8.0, metavar="GB", help="for frozen layers (default: %(default)s)"
    )
    group.add_argument("--save-models", action="store_true", help="keep the model of every run, not its results alone")
    group.add_argument("--figures", action="store_true", help="draw the figures of every run, not of the sweep alone")
    add_config_options(parser)
    if hasattr(module, "add_options"):
        module.add_options(parser.add_argument_group(f"list {Path(module.__file__).stem}"))
    return parser


def _run(argv: Sequence[str] | None) -> int:
    from keras_radtl.sweeps.requirements import select_available
    from keras_radtl.sweeps.run_list import check_runs, load_list, order_runs

    argv = list(sys.argv[1:] if argv is None else argv)
    module = load_list(argv[0]) if argv and not argv[0].startswith("-") else None
    arguments = parser(module).parse_args(argv)
    if module is None:
        raise UserError("name the list of runs first: python -m keras_radtl.sweep LIST [OPTIONS]")
    require(arguments.runs_per_process >= 1, "--runs-per-process", ">= 1", arguments.runs_per_process)
    runs = module.runs(arguments)
    check_runs(runs)
    _check_flags(arguments, runs)
    if arguments.print_config:
        sys.stdout.write(dumps(runs[0].config))
        return 0
    skipped = select_available(runs, arguments.skip_missing)
    there = [run for run in runs if run.name not in skipped]
    from keras_radtl.sweeps.execute import describe_disk, describe_time, execute_sweep
    from keras_radtl.sweeps.folder import SweepFolder, SweepOptions
    from keras_radtl.sweeps.speed import try_speed

    options = SweepOptions(
        reuse=not arguments.no_reuse,
        feature_cache_gb=arguments.feature_cache_size,
        save_models=arguments.save_models,
        figures=arguments.figures,
        module=str(Path(module.__file__).resolve()),
        per_process=arguments.runs_per_process,
    )
    options.run_options(Path())  # refuses wrong values
    folder = SweepFolder(arguments.output or RUNS / f"sweep-{Path(module.__file__).stem}")
    folder.check(runs)
    left = [run for run in there if not folder.run(run.name).finished]
    if left:
        sys.stderr.write(f"{len(left)} runs: {describe_disk(left, options, folder)}\n")
    if arguments.dry_run:
        if left:
            sys.stderr.write(f"{len(left)} runs: {describe_time(left, options, try_speed(left, options.module))}\n")
        sys.stdout.writelines(f"{run.name}\n" for run in order_runs(there))
        return 0
    return _finish(module, execute_sweep(runs, skipped, folder, options, _engine(arguments)))


def _check_flags(arguments, runs) -> None:
    """Refuse flags that the list overrules."""
    wanted = config_from(arguments)
    for flags in FLAGS.values():
        for flag, key, _, _ in flags:
            if getattr(arguments, key) is None:
                continue
            if any(_value(run.config, key) != _value(wanted, key) for run in runs):
                raise UserError(
                    f"{flag} is decided by the list of runs; `--help` behind its name tells its own options"
                )


def _value(config, key: str):
    for part in key.split("."):
        config = getattr(config, part)
    return config


def _engine(arguments):
    if arguments.engine == "ray":
        from keras_radtl.sweeps.ray_engine import run_ray

        return partial(run_ray, address=arguments.ray_address)
    require(arguments.ray_address is None, "--ray-address", "used with --engine ray", arguments.ray_address)
    from keras_radtl.sweeps.local_engine import run_local

    return run_local


def _finish(module, results) -> int:
    """Write what the whole sweep shows; returns 1 when a run failed."""
    from keras_radtl.sweeps.summary import close

    sys.stdout.write(close(results, module))
    return 1 if results.with_status("failed") else 0


if __name__ == "__main__":
    sys.exit(main())
