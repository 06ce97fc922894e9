"""Search for a good configuration: `python -m keras_radtl.tune`.

Hyperband, random or Bayesian search over a declared space. Trials are compared by their validation AUC; the test cases
are not looked at. The best trial is a plain configuration, which `fit --config` trains again to the same result.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from keras_radtl.cli.app import run_command
from keras_radtl.cli.options import add_config_options, config_from, make_parser
from keras_radtl.config import Config, UserError, dumps
from keras_radtl.fit import default_output
from keras_radtl.search.settings import ALGORITHMS, TunerSettings

_EPILOG = """\
a space names configuration keys with their values, in YAML or JSON:
  model.head.name: [linear, conv]
  model.head.filters: {values: [4, 16], when: {model.head.name: [conv]}}
  model.head.dropout: {low: 0.0, high: 0.6, step: 0.2}
  training.learning_rate: {low: 1e-5, high: 1e-2, log: true}
the same command goes on with a search that was stopped.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code, 1 when no trial of all epochs was completed."""
    return run_command(_run, argv)


def parser():
    """Return the command's argument parser."""
    parser = make_parser("tune", "Search for the configuration with the best validation AUC.")
    parser.epilog, parser.formatter_class = _EPILOG, argparse.RawDescriptionHelpFormatter
    add = parser.add_argument_group("search").add_argument
    add("--algorithm", choices=ALGORITHMS, default="hyperband", help="(default: %(default)s)")
    add("--space", metavar="FILE", default="default", help="what is searched; `default`: the built-in space")
    add("--print-space", action="store_true", help="print the space, as a file to begin with, and stop")
    add("--max-epochs", type=int, default=9, metavar="N", help="of the longest trials (default: %(default)s)")
    add("--trials", type=int, metavar="N", help="of a random or Bayesian search (default: 20)")
    add("--factor", type=int, metavar="N", help="hyperband: one in N goes on, N times as long (default: 3)")
    add("--min-epochs", type=int, metavar="N", help="hyperband: no trial is shorter (default: 1)")
    add("--iterations", type=int, metavar="N", help="hyperband: how often it is gone through (default: 1)")
    add("--keep", type=int, default=3, metavar="N", help="best trials that keep their model (default: %(default)s)")
    add("--retries", type=int, default=1, metavar="N", help="of a trial that crashed (default: %(default)s)")
    add = parser.add_argument_group("output").add_argument
    add("--output", metavar="FOLDER", type=Path, help="of the search (default: a folder in saved_models/)")
    add("--overwrite", action="store_true", help="replace the search that stands in --output")
    add("--no-reuse", action="store_true", help="compute frozen layers anew in every epoch; same result")
    add("--feature-cache-size", metavar="GB", type=float, default=8.0, help="for frozen layers (default: %(default)s)")
    add_config_options(parser)
    return parser


def settings_from(arguments) -> TunerSettings:
    """Return the settings that the options say.

    Raises:
        UserError: for an option that another algorithm has, or a value that cannot be.
    """
    hyperband = arguments.algorithm == "hyperband"
    given = {}
    for name in ("trials",) if hyperband else ("factor", "min_epochs", "iterations"):
        if getattr(arguments, name) is not None:
            of = "random and bayesian; hyperband decides their number" if hyperband else "hyperband"
            raise UserError(f"--{name.replace('_', '-')} is an option of {of}")
    for name in ("algorithm", "max_epochs", "trials", "factor", "min_epochs", "iterations", "keep", "retries"):
        if getattr(arguments, name) is not None:
            given[name] = getattr(arguments, name)
    return TunerSettings(**given)


def show(outcome, config: Config, space) -> str:
    """Return the best trials, what failed, and how to go on, as text."""
    from keras_radtl.search.folder import BEST, TABLE
    from keras_radtl.search.trials import rank, show_trials

    lines = ["", show_trials(outcome.rows, space.keys), ""]
    if rank(outcome.rows):
        best = outcome.folder / BEST
        lines += [
            "chosen by validation AUC, which is therefore too good; the test cases have not been looked at",
            f"trials:   {outcome.folder / TABLE}",
            f"best:     {best}",
            f"test it:  python -m keras_radtl.fit --config {best} --output {default_output(config)}-best",
            "",
        ]
    return "\n".join(lines)


def _run(argv: Sequence[str] | None) -> int:
    arguments = parser().parse_args(argv)
    config, settings = config_from(arguments), settings_from(arguments)
    if arguments.print_config:
        sys.stdout.write(dumps(config))
        return 0
    from keras_radtl.search.space import read_space

    space = read_space(arguments.space, config)
    if arguments.print_space:
        import yaml

        sys.stdout.write(yaml.safe_dump(space.to_dict(), sort_keys=False))
        return 0
    from keras_radtl.search.search import tune
    from keras_radtl.training.run_options import RunOptions

    plain = default_output(config)
    output = arguments.output or plain.with_name(f"{settings.algorithm}-{plain.name}")
    options = {"reuse": not arguments.no_reuse, "feature_cache_gb": arguments.feature_cache_size}
    RunOptions(output, **options)  # refuses wrong values
    outcome = tune(config, space, settings, output, arguments.overwrite, options)
    sys.stdout.write(show(outcome, config, space))
    if outcome.problem:
        sys.stdout.flush()
        sys.stderr.write(f"incomplete: {outcome.problem}\n")
    return 1 if outcome.problem else 0


if __name__ == "__main__":
    sys.exit(main())
